"""Whose an environment is and when it ends: what people may change of that."""

from __future__ import annotations

from datetime import datetime, timedelta

from greenroom.app.clock import Clock
from greenroom.app.lookup import pick
from greenroom.app.rights import require
from greenroom.errors import InputError, RefusedError
from greenroom.model.access import Action, Caller
from greenroom.model.lifetimes import Extension, Lifetime
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.plan.lifetimes import refuse_ttl
from greenroom.store.database import Database
from greenroom.store.environments import EnvironmentRecord, list_environments
from greenroom.store.lifetimes import extend_environment
from greenroom.store.operations import OperationRecord, unfinished_on

OWNER_MAX = 64


class Lifetimes:
    """Extends environments. Thread-safe."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def extend(self, text: str | EnvironmentName, ttl_s: float | None, caller: Caller) -> Extension:
        """Let the environment called ``text`` live for ``ttl_s`` from now, None as long as the
        blueprint says; and let working hours leave it alone until they begin again.

        It never takes anything away: one that would live longer anyhow does. Raises InputError
        E_TTL, or RefusedError E_NEVER_EXPIRES, E_NOT_READY, E_FORBIDDEN.
        """
        with self._database.write() as connection:
            record = pick(list_environments(connection), text, caller)
            stack, now = record.stack, self._clock.now()
            require(caller, Action.EXTEND, record.name.stack, production=stack.production)
            lifetime = _extensible(record, ttl_s, unfinished_on(connection, record.name))
            expires_at = _extended(record, lifetime, ttl_s, now)
            hours = lifetime.working_hours
            awake_until = None if hours is None else hours.next_start(now)
            extend_environment(connection, record.name, expires_at, awake_until)
        return Extension(
            environment=str(record.name), expires_at=expires_at, awake_until=awake_until
        )


def owner_of(request: CreateRequest, caller: Caller) -> str:
    """Whom a create is for; raises InputError E_OWNER for what is no name."""
    owner = caller.name if request.owner is None else request.owner
    if not 1 <= len(owner) <= OWNER_MAX or not owner.isprintable() or owner != owner.strip():
        raise InputError(
            "E_OWNER",
            f"the owner {owner[:OWNER_MAX]!r} is not a name of 1 to {OWNER_MAX} printable "
            "characters",
            hint="--owner NAME says whom the environment is for",
        )
    return owner


def _extensible(
    record: EnvironmentRecord, ttl_s: float | None, at_work: OperationRecord | None
) -> Lifetime:
    # One that is accepted and has not begun is not told by the status.
    if at_work is not None and at_work.kind == "destroy":
        raise RefusedError(
            "E_NOT_READY",
            f"extend of {record.name} refused: it is being destroyed",
            hint="greenroom create boots it anew when it is gone",
        )
    lifetime = record.stack.lifetime
    hours_only = record.expires_at is None and ttl_s is None
    if record.expires_at is not None and lifetime is not None:
        return lifetime
    if lifetime is None or lifetime.working_hours is None:
        raise _never_expires(record)
    if not hours_only:
        raise RefusedError(
            "E_NEVER_EXPIRES",
            f"extend of {record.name} refused: it has working hours and no ttl, so there is no end "
            "to put off",
            hint=f"greenroom extend {record.name} without a DURATION lets it run until working "
            "hours begin again",
        )
    return lifetime


def _never_expires(record: EnvironmentRecord) -> RefusedError:
    name = record.name
    why, hint = "it is production, which never expires", f"nothing needs to be done: {name} stays"
    if record.stack.shared:
        why = "it is shared, and what is shared never expires"
    elif not record.stack.production:
        why = "it was created without a ttl, so nothing ends it by itself"
        hint = (
            f"it stays until greenroom destroy {name}; create --ttl 8h, or lifetime: with a ttl in "
            "the blueprint, gives the next one an end"
        )
    return RefusedError("E_NEVER_EXPIRES", f"extend of {name} refused: {why}", hint=hint)


def _extended(
    record: EnvironmentRecord, lifetime: Lifetime, ttl_s: float | None, now: datetime
) -> datetime | None:
    if record.expires_at is None:
        return None
    asked_s = lifetime.ttl_s if ttl_s is None else ttl_s
    assert asked_s is not None, "what expires has a ttl"
    refuse_ttl(f"extend of {record.name}", asked_s, lifetime.max_s)
    return max(record.expires_at, now + timedelta(seconds=asked_s))
