"""The journal of events: read live from memory, written to the ledger in batches.

A create makes some forty events, and a commit each would cost it twenty milliseconds. They are
therefore seen by readers at once and written by one thread shortly after. What a crash loses is
at most the last batch of progress; an operation's end is committed together with its last event.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from greenroom.errors import HostError
from greenroom.model.events import Event
from greenroom.store.database import PASSING, Database
from greenroom.store.events import events_after, insert_events, last_seq

FLUSH_INTERVAL_S = 0.05
_RETRY_S = 1.0
_LOST_MAX = 1000
"""Events that a process that died can have told and not written: those of one interval."""

_logger = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(slots=True)
class _Live:
    """The events that this process has seen of one operation; ``first`` is the next one's seq
    at the time when it began to look."""

    first: int
    events: list[Event] = field(default_factory=list)

    @property
    def next_seq(self) -> int:
        return self.first + len(self.events)


class Journal:
    """All operations' events. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live: dict[str, _Live] = {}
        self._pending: list[Event] = []
        self._listeners: list[Callable[[str], None]] = []
        self._told = 0
        # Guards what is above, and tells waiting readers of news.
        self._news = threading.Condition()
        # Held from taking a batch to its commit, so that batches reach the database in order.
        self._writing = threading.Lock()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_batches, name="journal", daemon=True)
        self._writer.start()

    def append(self, operation: str, make: Callable[[int], Event]) -> Event:
        """Add the event that ``make`` builds for the next ``seq`` of the operation."""
        with self._news:
            live = self._open(operation)
            event = make(live.next_seq)
            live.events.append(event)
            self._pending.append(event)
        self._due.set()
        self._tell(operation)
        return event

    def resume(self, operation: str) -> None:
        """Go on with an operation of a process that died. Its readers may have seen events that
        were never written: what comes now is numbered behind these, else they would miss it."""
        with self._news:
            if operation not in self._live:
                first = self._open(operation).first + _LOST_MAX
                self._live[operation] = _Live(first=first)

    def settle(
        self,
        operation: str,
        make: Callable[[int], Event],
        write: Callable[[Connection], None],
    ) -> Event:
        """Commit the last event together with ``write``, then show it to readers.

        In that order, so that nobody who has seen the result can meet a ledger without it. While
        the ledger's disk is full or its server away it waits: an ending that is lost would let its
        operation stand unfinished for ever.
        """
        event = self._outlast(partial(self._settle_once, operation, make, write))
        self._tell(operation)
        return event

    def write(self, write: Callable[[Connection], _T]) -> _T:
        """Commit ``write``, and wait for the ledger as ``settle`` does: what an operation that has
        begun writes on its way must not leave it standing between its beginning and its end."""

        return self._outlast(partial(_committed, self._database.write, write))

    def write_deferred(self, write: Callable[[Connection], _T]) -> _T:
        """The same, for what a power failure may take back."""
        return self._outlast(partial(_committed, self._database.write_deferred, write))

    def _outlast(self, work: Callable[[], _T]) -> _T:
        while True:
            try:
                return work()
            except HostError as error:
                if error.code not in PASSING or self._closing.wait(_RETRY_S):
                    raise
                _logger.error("%s", error.message)

    def _settle_once(
        self,
        operation: str,
        make: Callable[[int], Event],
        write: Callable[[Connection], None],
    ) -> Event:
        with self._writing:
            with self._news:
                live = self._open(operation)
                event = make(live.next_seq)
                batch = [*self._pending, event]
            with self._database.write() as connection:
                insert_events(connection, batch)
                write(connection)
            with self._news:
                # Others may have appended meanwhile; what was written stands in front.
                del self._pending[: len(batch) - 1]
                self._live.pop(operation, None)
        return event

    def after(self, operation: str, seq: int) -> tuple[Event, ...]:
        """The operation's events whose ``seq`` is greater, in order."""
        with self._news:
            live = self._live.get(operation)
            if live is not None and seq + 1 >= live.first:
                return tuple(live.events[seq + 1 - live.first :])
        # Not live here, or events of an earlier process are asked for: these are all written.
        self.flush()
        with self._database.read() as connection:
            return events_after(connection, operation, seq)

    def wait(self, operation: str, seq: int, timeout_s: float) -> tuple[Event, ...]:
        """As ``after``, but wait up to ``timeout_s`` for at least one event."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._news:
                told = self._told
            found = self.after(operation, seq)
            left_s = deadline - time.monotonic()
            if found or left_s <= 0:
                return found
            with self._news:
                # Sleeps only if nobody told anything since before we looked.
                self._news.wait_for(partial(self._has_told_since, told), left_s)

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call ``listener`` with the operation's id at each event, from the thread that made it;
        returns what ends that. The listener must not block: an event loop passes
        ``lambda id: loop.call_soon_threadsafe(…)``."""
        with self._news:
            self._listeners.append(listener)

        def stop() -> None:
            with self._news:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def flush(self) -> None:
        """Write what is pending."""
        with self._writing:
            with self._news:
                batch = list(self._pending)
            if not batch:
                return
            with self._database.write_deferred() as connection:
                insert_events(connection, batch)
            with self._news:
                del self._pending[: len(batch)]

    def close(self) -> None:
        """Write what is pending and end the writer."""
        self._closing.set()
        self._due.set()
        self._writer.join()
        self.flush()

    def _open(self, operation: str) -> _Live:
        live = self._live.get(operation)
        if live is None:
            with self._database.read() as connection:
                live = _Live(first=last_seq(connection, operation) + 1)
            self._live[operation] = live
        return live

    def _has_told_since(self, told: int) -> bool:
        return self._told != told

    def _tell(self, operation: str) -> None:
        with self._news:
            self._told += 1
            self._news.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(operation)

    def _write_batches(self) -> None:
        while not self._closing.is_set():
            self._due.wait()
            self._due.clear()
            # Gather what comes in a moment: one commit for all of it.
            self._closing.wait(FLUSH_INTERVAL_S)
            try:
                self.flush()
            except Exception:
                # The batch stays pending and is tried again: neither a full disk nor a bug may
                # end the only writer.
                _logger.exception("the journal could not be written")
                self._closing.wait(_RETRY_S)
                self._due.set()


def _committed(
    begin: Callable[[], AbstractContextManager[Connection]], write: Callable[[Connection], _T]
) -> _T:
    with begin() as connection:
        return write(connection)
