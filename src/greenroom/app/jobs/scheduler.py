"""What fires the schedules of jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from greenroom.app.clock import Clock
from greenroom.app.jobs.admission import SCHEDULER
from greenroom.app.jobs.executions import Origin
from greenroom.app.jobs.service import Jobs
from greenroom.errors import GreenroomError, HostError
from greenroom.model.jobs import Job, Schedule, Trigger
from greenroom.plan.schedules import due_time, looked_at, next_time
from greenroom.store.database import Database
from greenroom.store.jobs import list_jobs, set_looked_at

_LOOK_EVERY_S = 0.25
_BACK_OFF_MAX_S = 8.0
_KEEP_EVERY = timedelta(seconds=30)

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    """A schedule and up to where it was looked at, in memory and in the ledger."""

    job: Job
    schedule: Schedule
    seen: datetime
    kept: datetime
    next_at: datetime | None


class Scheduler:
    """Looks at the clock four times a second: a wait for a far time would miss every step of it."""

    def __init__(self, jobs: Jobs, database: Database, clock: Clock) -> None:
        self._jobs = jobs
        self._database = database
        self._clock = clock
        self._entries: list[_Entry] | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        jobs.definitions.changed = self.forget

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._look, name="schedules", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def forget(self) -> None:
        """The definitions changed: read them again at the next look."""
        self._entries = None

    def tick(self) -> None:
        """Fire what is due now."""
        now = self._clock.now()
        entries = self._entries
        if entries is None:
            entries = self._entries = self._read()
        for entry in entries:
            if looked_at(entry.seen, now) < entry.seen:
                # The clock was set far back: go on from here.
                self._move(entry, now)
            elif entry.next_at is not None and now >= entry.next_at:
                self._fire(entry, now)
            if now - entry.kept > _KEEP_EVERY or entry.kept > now:
                self._keep(entry, now)

    def _fire(self, entry: _Entry, now: datetime) -> None:
        """Moves on only when the run is in the ledger, or refused for good: what is due while the
        ledger is away stays due."""
        if due_time(entry.schedule, entry.seen, now) is None:
            self._move(entry, now)
            _logger.info("%s: a time of %s was missed", entry.job.full_name, entry.schedule.cron)
            return
        # In one transaction with the execution: a crash fires it twice as little as never.
        origin = Origin(
            trigger=Trigger.SCHEDULE,
            zone=entry.schedule.zone,
            also=lambda connection: set_looked_at(connection, entry.job, now),
        )
        try:
            self._submit(entry, origin)
        except HostError:
            raise
        except Exception:
            self._move(entry, now)
            raise
        self._move(entry, now)
        entry.kept = now

    def _submit(self, entry: _Entry, origin: Origin) -> None:
        try:
            self._jobs.executions.submit(entry.job, dict(entry.schedule.options), SCHEDULER, origin)
        except HostError:
            raise
        except GreenroomError as error:
            self._jobs.executions.refuse(entry.job, error, SCHEDULER, origin)

    def _move(self, entry: _Entry, now: datetime) -> None:
        entry.seen = now
        entry.next_at = next_time(entry.schedule, now)

    def _keep(self, entry: _Entry, now: datetime) -> None:
        """Remember in the ledger too how far it was looked, so that a restart knows what it
        missed."""
        with self._database.write_deferred() as connection:
            set_looked_at(connection, entry.job, now)
        entry.kept = now

    def _read(self) -> list[_Entry]:
        with self._database.read() as connection:
            records = list_jobs(connection)
        return [
            _Entry(
                job=record.job,
                schedule=schedule,
                seen=record.looked_at,
                kept=record.looked_at,
                next_at=next_time(schedule, record.looked_at),
            )
            for record in records
            for schedule in record.job.schedules
        ]

    def _look(self) -> None:
        wait_s, told = _LOOK_EVERY_S, ""
        while not self._closing.wait(wait_s):
            fault = ""
            for look in (self.tick, self._jobs.tick):
                fault = _fault_of(look, told) or fault
            wait_s = min(2 * wait_s, _BACK_OFF_MAX_S) if fault else _LOOK_EVERY_S
            told = fault


def _fault_of(look: Callable[[], None], told: str) -> str:
    """What was wrong with a look; said unless it is what was told before. One bad look, as on a
    ledger that is away, must not end all schedules."""
    try:
        look()
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        if fault != told:
            _logger.exception("the schedules could not be looked at")
        return fault
    return ""
