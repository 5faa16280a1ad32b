"""Compares the ledger with the world, at the daemon's start and every so often, and acts.

It ends what has come to its end, stops and starts by working hours, brings back what the host has
lost, finishes removals, and removes or reports what nobody owns. What it does to an environment is
an ordinary operation, asked for by ``greenroom:reconciler``, so a crash in the middle is made good
as any other.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar, assert_never

from sqlalchemy import Connection

from greenroom.app.clock import Clock
from greenroom.app.orphans import Orphans
from greenroom.app.reconciliation import (
    RECONCILER,
    Action,
    Expire,
    FinishRemoval,
    Known,
    Moment,
    Recover,
    RemoveOrphan,
    ReportOrphan,
    ShiftEnds,
    Sleep,
    Wake,
    Warn,
    World,
    is_near,
    plan_reconciliation,
    was_set,
)
from greenroom.app.removal import half_removed
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.access import Caller
from greenroom.model.durations import duration_words
from greenroom.model.incidents import Incident
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Orphan
from greenroom.model.receipt import ResourceKind
from greenroom.model.requests import DestroyRequest, Request, StartRequest, StopRequest
from greenroom.ports import Provider
from greenroom.store.database import Database
from greenroom.store.environments import STANDING, EnvironmentRecord, list_environments
from greenroom.store.incidents import record_incident
from greenroom.store.lifetimes import mark_warned, shift_ends
from greenroom.store.operations import unfinished_operations

PERIOD_S, PERIOD_S_MIN, PERIOD_S_MAX = 60.0, 1.0, 3600.0
"""Between two looks: unless somebody says otherwise, at the least, at the most."""
_SUBJECT = "reconciler"
_LISTED_MAX = 3
_T = TypeVar("_T")

_logger = logging.getLogger(__name__)


class Submit(Protocol):
    """``ControlPlane.submit``."""

    def __call__(
        self, request: Request, caller: Caller, still: Callable[[Connection], None]
    ) -> object:
        """Accept the request unless ``still`` refuses in the transaction that accepts it."""


class Reconciler:
    """Looks and acts, on a thread of its own between ``start`` and ``close``."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        clock: Clock,
        orphans: Orphans,
        submit: Submit,
        adopt: Callable[[EnvironmentName], None],
        notify: Callable[[str, bytes], None],
        period_s: float = PERIOD_S,
    ) -> None:
        """``notify`` sends a body to a webhook; it must neither block nor raise. ``period_s`` is
        how long it rests between two looks."""
        self._database = database
        self._provider = provider
        self._clock = clock
        self._orphans = orphans
        self._submit = submit
        self._adopt = adopt
        self._notify = notify
        self._period_s = period_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self._last: tuple[datetime, float] | None = None
        self._near_since_s: dict[EnvironmentName, float] = {}
        self._told: set[Orphan] = set()
        self._unseen: set[str] = set()

    def start(self) -> None:
        """Look at once, and after each period from then on."""
        self._thread.start()

    def close(self) -> None:
        """Take nothing up any more, and wait for what is being done."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> tuple[Action, ...]:
        """Compare once and act; what was to be done."""
        orphans = self._looked("the host", self._orphans.find)
        with self._database.read() as connection:
            known = _known(connection)
        world = World(lost=self._lost(known), orphans=orphans)
        moment = self._moment(known)
        actions = plan_reconciliation(known, world, moment)
        for action in actions:
            self._try(action, partial(_refuse_outdated, action, world, moment))
        return actions

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self.look()
            except Exception:
                # The next look may go well: nothing is lost but time.
                _logger.exception("the reconciler's look broke")
            self._closing.wait(self._period_s)

    def _moment(self, known: tuple[Known, ...]) -> Moment:
        now, monotonic_s = self._clock.now(), self._clock.monotonic_s()
        jump = timedelta()
        if self._last is not None:
            before, before_s = self._last
            jump = now - before - timedelta(seconds=monotonic_s - before_s)
        if not was_set(jump):
            # Else it is kept until the ends are shifted: a shift that fails is made up for.
            self._last = now, monotonic_s
        near = {each.record.name for each in known if is_near(each.record, now)}
        self._near_since_s = {
            name: self._near_since_s.get(name, monotonic_s) for name in sorted(near)
        }
        near_s = {name: monotonic_s - since_s for name, since_s in self._near_since_s.items()}
        return Moment(now=now, monotonic_s=monotonic_s, jump=jump, near_s=near_s)

    def _lost(self, known: tuple[Known, ...]) -> dict[EnvironmentName, tuple[str, ...]]:
        standing = [e.record for e in known if e.record.status in STANDING and not e.busy]
        looked = {
            record.name: self._looked(str(record.name), partial(self._provider.lost, record.stack))
            for record in standing
        }
        return {name: lost for name, lost in looked.items() if lost}

    def _looked(self, what: str, look: Callable[[], tuple[_T, ...]]) -> tuple[_T, ...]:
        """What was found, which is nothing if ``what`` cannot be looked at: everything else must
        come to its end all the same. It is told once, until it can be looked at again."""
        try:
            found = look()
        except Exception as error:
            if what not in self._unseen:
                _logger.exception("%s could not be looked at", what)
                message = f"{what} could not be looked at: {error}; the log tells more"
                with self._database.write() as connection:
                    self._tell(connection, None, _SUBJECT, message)
                self._unseen.add(what)
            return ()
        self._unseen.discard(what)
        return found

    def _try(self, action: Action, still: Callable[[Connection], None]) -> None:
        try:
            self._do(action, still)
        except RefusedError as error:
            # Somebody was quicker; the next look judges what has become of it.
            _logger.info("%s", error.message)
        except GreenroomError as error:
            _logger.warning("%s: %s: %s", type(action).__name__, error.code, error.message)
        except Exception:
            _logger.exception("%s broke", type(action).__name__)

    def _do(self, action: Action, still: Callable[[Connection], None]) -> None:
        match action:
            case ShiftEnds():
                self._shift_ends(action)
            case Warn(record=record, expires_at=expires_at):
                self._warn(record, expires_at, still)
            case Expire(name=name) | FinishRemoval(name=name):
                request = DestroyRequest(environment=str(name), confirm=str(name))
                self._submit(request, RECONCILER, still)
            case Sleep(name=name):
                self._submit(StopRequest(environment=str(name)), RECONCILER, still)
            case Wake(name=name):
                self._submit(StartRequest(environment=str(name)), RECONCILER, still)
            case Recover(name=name):
                self._adopt(name)
            case RemoveOrphan(orphan=orphan):
                self._remove(orphan)
            case ReportOrphan(orphan=orphan):
                self._report(orphan)
            case _:
                assert_never(action)

    def _shift_ends(self, shift: ShiftEnds) -> None:
        self._near_since_s.clear()
        with self._database.write() as connection:
            shift_ends(connection, shift.later)
            self._tell(connection, None, "the host's clock", _jump_words(shift.jump))
        self._last = shift.at, shift.at_s

    def _warn(
        self, record: EnvironmentRecord, expires_at: datetime, still: Callable[[Connection], None]
    ) -> None:
        name = record.name
        at = f"{expires_at:%Y-%m-%d %H:%M} UTC"
        message = f"is destroyed at {at}, with all its data; greenroom extend {name} keeps it"
        if expires_at <= self._clock.now():
            message = f"has expired at {at} and is destroyed soon; greenroom extend {name} keeps it"
        with self._database.write() as connection:
            still(connection)
            mark_warned(connection, name, self._clock.now())
            self._tell(connection, name, str(name), message)
        lifetime = record.stack.lifetime
        if lifetime is not None and lifetime.notify is not None:
            self._notify(lifetime.notify, _warning_json(record, expires_at, message))

    def _remove(self, orphan: Orphan) -> None:
        assert orphan.environment is not None, "what names no environment is never removed"
        receipt = self._orphans.remove(orphan.environment, RECONCILER)
        if receipt.removed:
            what = _listed(orphan)
            with self._database.write() as connection:
                message = f"removed what was left of {orphan.environment}: {what}"
                self._tell(connection, None, _SUBJECT, message)

    def _report(self, orphan: Orphan) -> None:
        """Once for each daemon, unless it changes; that processes in it come and go is no change,
        else what runs would fill the list of incidents."""
        lasting = tuple(r for r in orphan.resources if r.kind is not ResourceKind.PROCESS)
        what = replace(orphan, resources=lasting)
        if what in self._told:
            return
        self._told.add(what)
        whose = orphan.environment or "no environment"
        message = f"the host holds {_listed(orphan)} of {whose}, which the ledger does not have"
        with self._database.write() as connection:
            hint = "greenroom doctor --orphans lists it"
            self._tell(connection, None, _SUBJECT, f"{message}; {hint}")

    def _tell(
        self, connection: Connection, name: EnvironmentName | None, subject: str, message: str
    ) -> None:
        _logger.warning("%s: %s", subject, message)
        incident = Incident(at=self._clock.now(), subject=subject, message=message)
        record_incident(connection, name, incident)


def _known(connection: Connection) -> tuple[Known, ...]:
    busy = {operation.environment for operation in unfinished_operations(connection)}

    def known(record: EnvironmentRecord) -> Known:
        removal = half_removed(connection, record)
        return Known(
            record=record,
            busy=record.name in busy,
            half_removed_at=None if removal is None else removal.ended_at,
        )

    return tuple(known(record) for record in list_environments(connection))


def _refuse_outdated(action: Action, world: World, moment: Moment, connection: Connection) -> None:
    """Decide once more, on what the ledger says by now: between a look and the act somebody may
    have extended, started or destroyed it. Raises RefusedError E_OUTDATED."""
    if action not in plan_reconciliation(_known(connection), world, moment):
        raise RefusedError(
            "E_OUTDATED",
            f"{type(action).__name__} is not due any more: somebody has changed it meanwhile",
            hint="the next look judges it anew",
        )


def _warning_json(record: EnvironmentRecord, expires_at: datetime, message: str) -> bytes:
    told = {
        "event": "expires-soon",
        "environment": str(record.name),
        "branch": record.stack.branch,
        "owner": record.owner,
        "expires_at": expires_at.isoformat(),
        "message": f"{record.name} {message}",
    }
    return json.dumps(told).encode()


def _jump_words(by: timedelta) -> str:
    way = "forward" if by > timedelta() else "back"
    far = duration_words(abs(by.total_seconds()))
    return f"was set {way} by {far}: environments keep at least the time that they had left"


def _listed(orphan: Orphan) -> str:
    names = [f"{item.kind} {item.name}" for item in orphan.resources[:_LISTED_MAX]]
    more = len(orphan.resources) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
