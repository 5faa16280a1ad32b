"""The jobs of a region: their parts, and what they all do as the daemon comes, goes on and goes."""

from __future__ import annotations

from pathlib import Path

from greenroom.app.clock import Clock, SystemClock
from greenroom.app.control_plane import ControlPlane
from greenroom.app.jobs.definitions import Definitions, JobsReader
from greenroom.app.jobs.ending import Endings, Notify
from greenroom.app.jobs.executions import Executions
from greenroom.app.jobs.history import ExecutionHistory
from greenroom.app.jobs.log import LogBook
from greenroom.app.jobs.queue import Queue, Ticket
from greenroom.app.jobs.run import interrupted, lost
from greenroom.app.jobs.waiting import Waiting
from greenroom.app.jobs.work import Work
from greenroom.model.jobs import MASK, ExecutionStatus
from greenroom.ports import Processes
from greenroom.store.database import Database
from greenroom.store.executions import (
    ExecutionRecord,
    find_execution,
    running_executions,
    unfinished_executions,
)

_SWEEP_EVERY_S = 30.0


class Jobs:
    """``definitions`` are what can be run, ``executions`` what is asked for, ``waiting`` what has
    not begun, ``history`` what there was and is, ``endings`` what comes of it, ``book`` the logs.
    Their methods may be called from any thread; they block for milliseconds, an abort until the
    processes are gone."""

    def __init__(
        self,
        *,
        database: Database,
        control: ControlPlane,
        processes: Processes,
        log_folder: Path,
        read_jobs: JobsReader,
        notify: Notify,
        clock: Clock | None = None,
    ) -> None:
        """Nothing runs before ``recover``."""
        clock = SystemClock() if clock is None else clock
        self._database = database
        self._processes = processes
        self._clock = clock
        self._sweep_s = 0.0
        self.book = book = LogBook(log_folder, clock)
        self.history = history = ExecutionHistory(database)
        self.endings = endings = Endings(
            database, book, notify, again=lambda ticket: queue.add(ticket), clock=clock
        )
        work = Work(database, control, processes, book, endings, clock)
        self._queue = queue = Queue(work.do, clock)
        self.waiting = waiting = Waiting(database, history, endings, queue, book, clock)
        self.executions = Executions(database, history, waiting, queue, clock)
        self.definitions = Definitions(database, read_jobs, clock)
        control.on_submit(self.definitions.register_beside)

    def recover(self) -> None:
        """End what a crash left running, and go on with what waited."""
        self._processes.end_left_over()
        with self._database.read() as connection:
            unfinished = unfinished_executions(connection)
        for record in unfinished:
            self._go_on(record)

    def _go_on(self, record: ExecutionRecord) -> None:
        ticket = Ticket(record=record, values=dict(record.options))
        is_running = record.status is ExecutionStatus.RUNNING
        if is_running and record.operation is not None:
            self.endings.expect(record.id)
            self._queue.add(ticket)
        elif is_running or not _can_go_on(record):
            self.endings.end(ticket, interrupted(record.job))
        else:
            self.waiting.accept(ticket)

    def tick(self) -> None:
        """What the passing of time brings: retries are due, approvals expire."""
        self._queue.start_due()
        self.waiting.expire()
        if self._clock.monotonic_s() >= self._sweep_s:
            self.book.prune(self.endings.is_unfinished)
            self._end_lost()
            self._sweep_s = self._clock.monotonic_s() + _SWEEP_EVERY_S

    def _end_lost(self) -> None:
        """End what runs by the ledger and not here: its end could not be written. Does not wait for
        the ledger: the next sweep comes, and schedules must not stand still meanwhile."""
        with self._database.read() as connection:
            running = running_executions(connection)
        for record in running:
            if self._queue.holds(record.id):
                continue
            # Asked again: it may have ended since, and what left the queue has written its end.
            with self._database.read() as connection:
                now = find_execution(connection, record.id)
            if now is not None and now.status is ExecutionStatus.RUNNING:
                self.endings.write(record.id, lost(record.job))
                self.endings.announce(record.id)

    def close(self) -> None:
        """Interrupt what runs; what waits goes on with the next daemon."""
        self.endings.close()
        self._queue.close()
        self._processes.close()


def _can_go_on(record: ExecutionRecord) -> bool:
    """Whether all that a waiting execution needs is in the ledger: no secret, and nobody's rights,
    which may have been taken away since."""
    return MASK not in record.options.values() and not record.job.built_in
