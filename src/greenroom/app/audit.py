"""The audit log: what was asked, by whom, and how it ended. It is only ever added to."""

from __future__ import annotations

from sqlalchemy import Connection

from greenroom.app.clock import Clock, SystemClock
from greenroom.app.rights import require
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.access import EVERY_STACK, Action, Caller, allows
from greenroom.model.audit import AuditEntry, AuditFilter, AuditView, Outcome, Parameters
from greenroom.model.tokens import without_tokens
from greenroom.store.audit import audit_after, audit_before, insert_audit
from greenroom.store.database import Database


def entry_of(
    caller: Caller,
    action: str,
    outcome: Outcome,
    *,
    stack: str = "",
    subject: str = "",
    parameters: Parameters = (),
    error: GreenroomError | None = None,
    reference: str | None = None,
) -> AuditEntry:
    """What ``caller`` asked for; ``error`` is why it was refused or failed."""
    error = None if error is None else reason_of(error)
    return AuditEntry(
        caller=caller.name,
        origin=caller.origin,
        action=action,
        outcome=outcome,
        stack=stack,
        subject=without_tokens(subject),
        parameters=parameters,
        code=None if error is None else error.code,
        message="" if error is None else without_tokens(error.message),
        reference=reference,
    )


def reason_of(error: GreenroomError) -> GreenroomError:
    """What the log keeps of a refusal: that a right was missing, where the caller was told that
    there is nothing of that name."""
    cause = error.__cause__
    return cause if isinstance(cause, RefusedError) and cause.code == "E_FORBIDDEN" else error


class Audit:
    """Writes and reads the log. Safe to use from any thread."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock: Clock = SystemClock() if clock is None else clock

    def record(self, entry: AuditEntry, connection: Connection | None = None) -> None:
        """Keep an entry; with ``connection``, in the transaction of what it tells of."""
        if connection is not None:
            insert_audit(connection, entry, self._clock.now())
            return
        with self._database.write() as own:
            insert_audit(own, entry, self._clock.now())

    def newest(
        self, caller: Caller, wanted: AuditFilter, *, before: int | None, limit: int
    ) -> tuple[AuditView, ...]:
        """Entries whose ``seq`` is less than ``before``, the newest first, of the stacks that
        ``caller`` operates; raises RefusedError E_FORBIDDEN if these are none."""
        stacks = _operated(caller)
        with self._database.read() as connection:
            return audit_before(connection, wanted, stacks=stacks, before=before, limit=limit)

    def since(
        self, caller: Caller, wanted: AuditFilter, *, after: int, limit: int
    ) -> tuple[AuditView, ...]:
        """As ``newest``, but those whose ``seq`` is greater than ``after``, the oldest first."""
        stacks = _operated(caller)
        with self._database.read() as connection:
            return audit_after(connection, wanted, stacks=stacks, after=after, limit=limit)


def _operated(caller: Caller) -> frozenset[str] | None:
    """The stacks whose entries the caller may read; None means all, also those of no stack."""
    if allows(caller, Action.AUDIT, EVERY_STACK, production=True):
        return None
    stacks = {grant.stack for grant in caller.grants}
    mine = {each for each in stacks if allows(caller, Action.AUDIT, each, production=True)}
    if not mine:
        require(caller, Action.AUDIT, EVERY_STACK)
    return frozenset(mine)
