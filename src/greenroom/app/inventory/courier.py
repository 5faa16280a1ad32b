"""Telling machines of their peers: each has a queue in the ledger and hears one word after the
other, at least once.

A word is taken from its queue only after the machine's hook has ended well, so a crash between
the two tells it twice and never not at all. A hook that fails is tried again, a little later each
time, before the next word; after some tries the word is given up, which is an incident.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from greenroom.app.clock import Clock
from greenroom.errors import GreenroomError
from greenroom.model.incidents import Incident
from greenroom.model.inventory import MachineKey, PeerNotice
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine, Stack
from greenroom.store.database import Database
from greenroom.store.environments import find_environment
from greenroom.store.incidents import record_incident
from greenroom.store.inventory import find_machine
from greenroom.store.notices import (
    Queued,
    count_try,
    drop_notice,
    drop_queues,
    next_notice,
    waiting_machines,
)

Tell = Callable[[Stack, Machine, PeerNotice], None]
"""Run the machine's hook; raises GreenroomError if it does not end well."""

TRIES_MAX = 6
LOOK_EVERY_S = 5.0
"""For machines that were not up when something happened."""
_FIRST_PAUSE_S = 1.0
_AT_ONCE = 4

_logger = logging.getLogger(__name__)


class Courier:
    """Delivers notices in the background. Thread-safe."""

    def __init__(self, *, database: Database, clock: Clock, tell: Tell) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell
        self._due = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._busy: set[MachineKey] = set()
        self._not_before_s: dict[MachineKey, float] = {}
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="courier")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Deliver from now on what is queued, also from before this start."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Begin no delivery any more, and wait for those that are on their way. Idempotent."""
        self._closing.set()
        self._due.set()
        if self._thread is not None:
            self._thread.join()
        self._workers.shutdown(cancel_futures=True)

    def nudge(self) -> None:
        """Something was queued. Never blocks."""
        self._due.set()

    def deliver(self, machine: MachineKey) -> bool:
        """Tell a machine the first word of its queue; whether the next can follow at once."""
        with self._database.read() as connection:
            queued = next_notice(connection, machine)
            environment = find_environment(connection, EnvironmentName.parse(machine[0]))
            known = find_machine(connection, machine)
        if queued is None:
            return False
        if environment is None or known is None:
            with self._database.write() as connection:
                drop_queues(connection, (machine,))
            return False
        if not known.is_up:
            return False
        try:
            stack = environment.stack
            self._tell(stack, stack.machine(machine[1]), queued.notice)
        except (GreenroomError, KeyError) as error:
            return self._failed(machine, queued, error)
        with self._database.write() as connection:
            drop_notice(connection, queued)
        return True

    def _failed(self, machine: MachineKey, queued: Queued, error: Exception) -> bool:
        """Whether the word was given up, so that the next one can follow."""
        given_up = queued.tries + 1 >= TRIES_MAX
        notice = queued.notice
        what = f"could not be told that {notice.peer.name} {_SAID[notice.event]}: {error}"
        with self._database.write() as connection:
            if given_up:
                drop_notice(connection, queued)
                message = f"{what}; it was tried {TRIES_MAX} times"
                incident = Incident(at=self._clock.now(), subject=machine[1], message=message)
                record_incident(connection, EnvironmentName.parse(machine[0]), incident)
            else:
                count_try(connection, queued)
        _logger.warning("%s %s %s", *machine, what)
        if not given_up:
            pause_s = _FIRST_PAUSE_S * 2.0**queued.tries
            with self._lock:
                self._not_before_s[machine] = self._clock.monotonic_s() + pause_s
        return given_up

    def _run(self) -> None:
        while not self._closing.is_set():
            self._due.clear()
            try:
                self._look()
            except Exception:
                _logger.exception("the courier could not look")
            self._due.wait(self._pause_s())

    def _look(self) -> None:
        with self._database.read() as connection:
            waiting = waiting_machines(connection)
        self._forget_others(waiting)
        for machine in waiting:
            self._take_up(machine)

    def _forget_others(self, waiting: Collection[MachineKey]) -> None:
        """Who has gone with its queue is tried no more: its time would stay in the past, and each
        look would follow the last at once."""
        with self._lock:
            for machine in self._not_before_s.keys() - set(waiting):
                del self._not_before_s[machine]

    def _pause_s(self) -> float:
        """Until the next try of a machine, or the next look."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            soonest_s = min(self._not_before_s.values(), default=now_s + LOOK_EVERY_S)
        return max(0.05, min(soonest_s - now_s, LOOK_EVERY_S))

    def _take_up(self, machine: MachineKey) -> None:
        with self._lock:
            due_s = self._not_before_s.get(machine, 0.0)
            if machine in self._busy or due_s > self._clock.monotonic_s():
                return
            self._not_before_s.pop(machine, None)
            self._busy.add(machine)
        self._workers.submit(self._empty, machine)

    def _empty(self, machine: MachineKey) -> None:
        try:
            while not self._closing.is_set() and self.deliver(machine):
                pass
        except Exception:
            _logger.exception("%s %s could not be told of its peers", *machine)
        finally:
            with self._lock:
                self._busy.discard(machine)


_SAID = {
    "came": "came",
    "gone": "is gone",
    "unhealthy": "is unhealthy",
    "healthy": "is healthy again",
}
