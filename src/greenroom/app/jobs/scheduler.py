"""What fires the schedules of jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from greenroom.app.clock import Clock
from greenroom.app.jobs.service import Jobs
from greenroom.errors import HostError
from greenroom.model.jobs import Job, Schedule
from greenroom.plan.schedules import due_time, looked_at, next_time
from greenroom.store.database import Database
from greenroom.store.jobs import list_jobs, set_looked_at

_LOOK_EVERY_S = 0.25
_BACK_OFF_MAX_S = 8.0
_KEEP_EVERY = timedelta(seconds=30)

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    """A job, and up to where its schedules were looked at, in memory and in the ledger: one note
    for all of them, as they are looked at together and what is due of them comes together."""

    job: Job
    seen: datetime
    kept: datetime
    next_at: datetime | None = None

    def move(self, seen: datetime) -> None:
        """Everything up to ``seen`` was looked at."""
        times = [next_time(each, seen) for each in self.job.schedules]
        self.seen = seen
        self.next_at = min((each for each in times if each is not None), default=None)


class Scheduler:
    """Looks at the clock four times a second: a wait for a far time would miss every step of it."""

    def __init__(self, jobs: Jobs, database: Database, clock: Clock) -> None:
        self._jobs = jobs
        self._database = database
        self._clock = clock
        self._entries: list[_Entry] = []
        self._is_stale = threading.Event()
        self._is_stale.set()
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
        self._is_stale.set()

    def tick(self) -> None:
        """Fire what is due now."""
        now = self._clock.now()
        for entry in self._known():
            self._look_at(entry, now)

    def _look_at(self, entry: _Entry, now: datetime) -> None:
        if looked_at(entry.seen, now) < entry.seen:
            # The clock was set far back: go on from here.
            entry.move(now)
        elif entry.next_at is not None and now >= entry.next_at:
            self._fire(entry, now)
        # What was fired stays seen, also if the clock was set back a little since.
        seen = looked_at(entry.seen, now)
        if abs(seen - entry.kept) > _KEEP_EVERY:
            self._keep(entry, seen)

    def _fire(self, entry: _Entry, now: datetime) -> None:
        """Moves on only when the runs are in the ledger, or refused for good: what is due while the
        ledger is away stays due."""
        came = [each for each in entry.job.schedules if _came(each, entry.seen, now)]
        due = [each for each in came if due_time(each, entry.seen, now) is not None]
        if due:
            self._run(entry, due, now)
        for each in came:
            if each not in due:
                _logger.info("%s: a time of %s was missed", entry.job.full_name, each.cron)
        entry.move(now)

    def _run(self, entry: _Entry, due: Sequence[Schedule], now: datetime) -> None:
        job = entry.job
        try:
            self._jobs.executions.fire(
                job, due, lambda connection: set_looked_at(connection, job, now)
            )
        except HostError:
            raise
        except Exception:
            entry.move(now)
            raise
        entry.kept = now

    def _keep(self, entry: _Entry, seen: datetime) -> None:
        """Remember in the ledger too how far it was looked, so that a restart knows what it
        missed."""
        with self._database.write_deferred() as connection:
            set_looked_at(connection, entry.job, seen)
        entry.kept = seen

    def _known(self) -> list[_Entry]:
        if self._is_stale.is_set():
            # Before they are read: what changes meanwhile is read at the next look.
            self._is_stale.clear()
            try:
                self._entries = self._read()
            except BaseException:
                self._is_stale.set()
                raise
        return self._entries

    def _read(self) -> list[_Entry]:
        with self._database.read() as connection:
            records = list_jobs(connection)
        entries = [
            _Entry(job=record.job, seen=record.looked_at, kept=record.looked_at)
            for record in records
            if record.job.schedules
        ]
        for entry in entries:
            entry.move(entry.seen)
        return entries

    def _look(self) -> None:
        wait_s, told = _LOOK_EVERY_S, ""
        while not self._closing.wait(wait_s):
            fault = ""
            for look in (self.tick, self._jobs.tick):
                fault = _fault_of(look, told) or fault
            wait_s = min(2 * wait_s, _BACK_OFF_MAX_S) if fault else _LOOK_EVERY_S
            told = fault


def _came(schedule: Schedule, seen: datetime, now: datetime) -> bool:
    at = next_time(schedule, seen)
    return at is not None and at <= now


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
