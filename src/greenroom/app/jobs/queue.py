"""The executions that wait and run in this process: who is next, and one thread for each that
runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from greenroom.app.clock import Clock
from greenroom.app.jobs.run import Stop, Why
from greenroom.errors import HostError
from greenroom.model.access import Caller
from greenroom.store.database import PASSING
from greenroom.store.executions import ExecutionRecord

RUNNING_MAX = 32
"""Executions at once, of all jobs."""
_PASSING_RETRY_S = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An execution with what the ledger does not keep: its secrets, and the rights of whoever
    asked. ``caller`` is needed for built-in jobs only."""

    record: ExecutionRecord
    values: dict[str, str] = field(repr=False)
    caller: Caller | None = None

    @property
    def limit(self) -> tuple[str, int] | None:
        """The key under which executions take turns, and how many may run at once."""
        concurrency = self.record.job.concurrency
        if concurrency is None:
            return None
        value = self.values.get(concurrency.per, "") if concurrency.per else ""
        return f"{self.record.job.stack}/{concurrency.key}/{value}", concurrency.limit


class Queue:
    """``run`` does an execution's work in a thread of its own and must not raise."""

    def __init__(self, run: Callable[[Ticket, Stop], None], clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._running: dict[str, tuple[Ticket, Stop, threading.Thread]] = {}
        self._is_closing = False

    def add(self, ticket: Ticket) -> None:
        """Have the execution run as soon as it may."""
        with self._lock:
            self._waiting.append(ticket)
        self.start_due()

    def withdraw(self, execution: str) -> Ticket | None:
        """Take one out that waits; None if it does not wait here."""
        with self._lock:
            for ticket in self._waiting:
                if ticket.record.id == execution:
                    self._waiting.remove(ticket)
                    return ticket
        return None

    def holds(self, execution: str) -> bool:
        """Whether it waits or runs here."""
        with self._lock:
            return execution in self._running or any(
                ticket.record.id == execution for ticket in self._waiting
            )

    def stop(self, execution: str, by: str) -> None:
        """Ask one that runs to stop, and wait until its programs are gone."""
        with self._lock:
            found = self._running.get(execution)
        if found is not None:
            found[1].ask(Why.ABORT, by)

    def start_due(self) -> None:
        """Start what waits and may run now, the oldest first."""
        now = self._clock.now()
        with self._lock:
            for ticket in list(self._waiting):
                if not self._is_closing and self._may_start(ticket, now):
                    self._waiting.remove(ticket)
                    self._start(ticket)

    def _may_start(self, ticket: Ticket, now: datetime) -> bool:
        if ticket.record.not_before > now or len(self._running) >= RUNNING_MAX:
            return False
        limit = ticket.limit
        if limit is None:
            return True
        key, count = limit
        taken = sum(
            other.limit is not None and other.limit[0] == key
            for other, _, _ in self._running.values()
        )
        return taken < count

    def _start(self, ticket: Ticket) -> None:
        stop = Stop()
        name = f"job-{ticket.record.id}"
        thread = threading.Thread(target=self._work, args=(ticket, stop), name=name)
        self._running[ticket.record.id] = (ticket, stop, thread)
        thread.start()

    def _work(self, ticket: Ticket, stop: Stop) -> None:
        try:
            self._run(ticket, stop)
        except Exception:
            _logger.exception("execution %s broke off", ticket.record.id)
        finally:
            with self._lock:
                del self._running[ticket.record.id]
            self.start_due()

    def close(self) -> None:
        """Interrupt what runs, and wait for it."""
        with self._lock:
            self._is_closing = True
            running = list(self._running.values())
        for _, stop, _ in running:
            stop.ask(Why.CLOSING)
        for _, _, thread in running:
            thread.join()


def when_written(write: Callable[[], None], closing: threading.Event) -> None:
    """Write to the ledger, also if it is full or away first and is back later: an end that is lost
    would let its execution stand unfinished."""
    told = ""
    while True:
        try:
            return write()
        except HostError as error:
            if error.code not in PASSING or closing.wait(_PASSING_RETRY_S):
                raise
            if error.message != told:
                _logger.error("%s", error.message)
            told = error.message
