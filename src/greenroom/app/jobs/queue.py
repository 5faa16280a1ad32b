"""The executions that wait and run in this process: who is next, and one thread for each that
runs."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from greenroom.app.clock import Clock
from greenroom.app.jobs.stop import Stop, Why
from greenroom.model.access import Caller
from greenroom.store.executions import ExecutionRecord

RUNNING_MAX = 32
"""Executions at once, of all jobs."""
WAITING_MAX = 10_000
"""Executions that wait for their turn or an approval; more are refused."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An execution with what the ledger does not keep: its secrets, and the rights of whoever
    asked. ``caller`` is needed for built-in jobs only."""

    record: ExecutionRecord
    values: dict[str, str] = field(repr=False)
    caller: Caller | None = None
    expires_s: float = 0.0
    """When nobody may approve it any more, by the monotonic clock."""

    @property
    def limit(self) -> tuple[str, int] | None:
        """The key under which executions take turns, and how many may run at once."""
        concurrency = self.record.job.concurrency
        if concurrency is None:
            return None
        value = self.values.get(concurrency.per, "") if concurrency.per else ""
        return f"{self.record.job.stack}/{concurrency.key}/{value}", concurrency.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """``due_s`` is monotonic: a clock that is set back must not stop the queue. ``key`` and
    ``count`` are the ticket's limit, worked out once."""

    ticket: Ticket
    due_s: float
    key: str | None
    count: int


class Queue:
    """``run`` does an execution's work in a thread of its own and must not raise."""

    def __init__(self, run: Callable[[Ticket, Stop], None], clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._taken: Counter[str] = Counter()
        self._running: dict[str, tuple[Ticket, Stop, threading.Thread]] = {}
        self._is_closing = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, ticket: Ticket) -> None:
        """Have the execution run as soon as it may."""
        record = ticket.record
        left_s = left_until(record.not_before, record, self._clock.now())
        key, count = ticket.limit or (None, 0)
        now_s = self._clock.monotonic_s()
        waiting = _Waiting(ticket=ticket, due_s=now_s + left_s, key=key, count=count)
        with self._lock:
            self._waiting[record.id] = waiting
            # Only this one: the others could not start before it came, and each look at all of
            # thousands would make the start of a daemon that finds them take their square.
            if self._may_start(waiting, now_s):
                self._start(waiting)

    def withdraw(self, execution: str) -> Ticket | None:
        """Take one out that waits; None if it does not wait here."""
        with self._lock:
            found = self._waiting.pop(execution, None)
        return None if found is None else found.ticket

    def holds(self, execution: str) -> bool:
        """Whether it waits or runs here."""
        with self._lock:
            return execution in self._running or execution in self._waiting

    def stop(self, execution: str, by: str) -> None:
        """Ask one that runs to stop, and wait until its programs are gone."""
        with self._lock:
            found = self._running.get(execution)
        if found is not None:
            found[1].ask(Why.ABORT, by)

    def start_due(self) -> None:
        """Start what waits and may run now, the oldest first."""
        with self._lock:
            self._start_due()

    def _start_due(self) -> None:
        now_s = self._clock.monotonic_s()
        for each in tuple(self._waiting.values()):
            if not self._has_place:
                return
            if self._may_start(each, now_s):
                self._start(each)

    @property
    def _has_place(self) -> bool:
        return not self._is_closing and len(self._running) < RUNNING_MAX

    def _may_start(self, waiting: _Waiting, now_s: float) -> bool:
        has_room = waiting.key is None or self._taken[waiting.key] < waiting.count
        return self._has_place and has_room and waiting.due_s <= now_s

    def _start(self, waiting: _Waiting) -> None:
        stop, execution = Stop(), waiting.ticket.record.id
        thread = threading.Thread(target=self._work, args=(waiting, stop), name=f"job-{execution}")
        # Its thread waits for our lock before it leaves. One that cannot start waits on.
        thread.start()
        del self._waiting[execution]
        self._running[execution] = (waiting.ticket, stop, thread)
        if waiting.key is not None:
            self._taken[waiting.key] += 1

    def _work(self, waiting: _Waiting, stop: Stop) -> None:
        execution = waiting.ticket.record.id
        try:
            self._run(waiting.ticket, stop)
        except Exception:
            _logger.exception("execution %s broke off", execution)
        finally:
            with self._lock:
                del self._running[execution]
                self._give_back(waiting.key)
                # Before anybody who joins now: the oldest is next.
                self._start_due()

    def _give_back(self, key: str | None) -> None:
        if key is not None:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]

    def close(self) -> None:
        """Interrupt what runs, and wait for it."""
        with self._lock:
            self._is_closing = True
            running = list(self._running.values())
        for _, stop, _ in running:
            stop.ask(Why.CLOSING)
        for _, _, thread in running:
            thread.join()


def left_until(at: datetime, record: ExecutionRecord, now: datetime) -> float:
    """Seconds until ``at``, at most as many as it was away when the execution was accepted: the
    clock may have been set back since."""
    return max(0.0, min((at - now).total_seconds(), (at - record.created_at).total_seconds()))
