"""Care for what runs: being told when a part of a machine or of the region ends, and mending it.

Machines are the application's to recover, since that is an operation; a service within a machine
and the region's own programs are mended here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from greenroom.errors import GreenroomError
from greenroom.model.incidents import Ended, Incident, Part
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Stack
from greenroom.providers.local import supervision
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.supervision import Process, processes_of
from greenroom.providers.local.watch import UNKNOWN, Watch

_REGION = "region"
_TOLD_AFTER = 8
"""Failed starts: so many may come of a mend that is just being made."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0
"""A program of the region that ran for so long is not in a loop."""

_MEND = (
    f"it is tried again each {_LONGEST_PAUSE_S:g} s: mend that, then greenroom flows ENV proves "
    "each environment anew"
)

_logger = logging.getLogger(__name__)

Open = Callable[[], int]
"""Starts a program of the region unless it runs; its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A machine's processes when it was last looked at."""

    first: int | None
    services: dict[str, int]


class Care:
    """What is watched, by environment and machine. Thread-safe."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._watch = Watch()
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._workers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="region")
        self._closing = threading.Event()
        self._quick_ends: dict[str, int] = {}

    def attend(self, stack: Stack, told: Callable[[Ended], None]) -> None:
        """Watch every part of the environment's machines, in place of what was watched before."""
        self._watch.forget(stack.environment.key)
        for machine in stack.machines:
            place = self._layout.machine(stack.environment, machine.name)
            declared = {service.name for service in stack.image_of(machine).services}
            running = processes_of(place, declared)
            with self._lock:
                self._known[_group(place)] = _Known(
                    first=next((p.pid for p in running if p.part is Part.MACHINE), None),
                    services={p.service: p.pid for p in running if p.part is Part.SERVICE},
                )
            for process in running:
                self._watch.add(
                    f"{_group(place)}/{process.service}",
                    process.pid,
                    partial(self._ended, place, process, told),
                )

    def leave(self, environment: EnvironmentName) -> None:
        """Watch nothing of it any more. Idempotent."""
        self._watch.forget(environment.key)
        with self._lock:
            for group in [g for g in self._known if g.startswith(f"{environment.key}/")]:
                del self._known[group]

    def mend(self, ended: Ended) -> bool:
        """Have the service of ``ended`` run again under a supervisor; False if its machine has
        ended since it was watched. Raises OperationError (E_SERVICE_DOWN)."""
        place = self._layout.machine(ended.environment, ended.machine)
        with self._lock:
            known = self._known.get(_group(place))
        if known is None:
            return False
        if ended.part is Part.SUPERVISOR:
            # What we end now is no second incident.
            self._watch.forget(f"{_group(place)}/{ended.service}")
            orphan = known.services.get(ended.service)
            return supervision.revive(place, known.first, ended.service, orphan)
        return supervision.wait_for_service(place, known.first, ended.service)

    def hold(self, ended: Ended) -> None:
        """Take the service down until somebody starts it."""
        place = self._layout.machine(ended.environment, ended.machine)
        supervision.hold(place, ended.service)

    def keep(self, program: str, start: Open, told: Callable[[Incident], None]) -> None:
        """Watch a program of the region, and start it again whenever it ends.

        ``told`` hears of each end when it runs again, and (with no time away) when it does not
        for long; it is tried on then.
        """
        self._keep(program, start, told, start())

    def close(self) -> None:
        """Stop watching: what ends from now on is meant to end."""
        self._closing.set()
        self._watch.close()
        self._workers.shutdown()

    def _ended(
        self, place: MachineLayout, process: Process, told: Callable[[Ended], None], how: str
    ) -> None:
        if how == UNKNOWN and process.part is Part.SERVICE:
            how = supervision.last_death(place, process.service)
        ended = Ended(
            environment=place.environment,
            machine=place.name,
            part=process.part,
            service=process.service,
            pid=process.pid,
            how=how,
            at=datetime.now(UTC),
        )
        told(ended)

    def _keep(self, program: str, start: Open, told: Callable[[Incident], None], pid: int) -> None:
        since_s = time.monotonic()

        def ended(how: str) -> None:
            if not self._closing.is_set():
                self._workers.submit(self._start_again, program, start, told, pid, how, since_s)

        self._watch.add(f"{_REGION}/{program}", pid, ended)

    def _pause_s(self, program: str, ran_s: float) -> float:
        """How long to wait before another start: nothing for one that ran well, and longer each
        time for one that ends soon after."""
        if ran_s > _STEADY_S:
            self._quick_ends.pop(program, None)
        times = self._quick_ends.get(program, 0)
        self._quick_ends[program] = times + 1
        return float(min(_FIRST_PAUSE_S * 2 ** (times - 1), _LONGEST_PAUSE_S)) if times else 0.0

    def _start_again(
        self,
        program: str,
        start: Open,
        told: Callable[[Incident], None],
        pid: int,
        how: str,
        since_s: float,
    ) -> None:
        at, began_s = datetime.now(UTC), time.monotonic()
        what = f"process {pid} {how}"
        pause_s = self._pause_s(program, began_s - since_s)
        failed = 0
        while not self._closing.wait(pause_s):
            try:
                again = start()
            except GreenroomError as error:
                _logger.warning("%s does not start: %s", program, error.message)
                failed += 1
                if failed == _TOLD_AFTER:
                    message = f"{what}; it does not start again: {error.message}; {_MEND}"
                    told(Incident(at=at, subject=program, message=message))
                pause_s = min(max(pause_s, _FIRST_PAUSE_S) * 2, _LONGEST_PAUSE_S)
            else:
                away_s = time.monotonic() - began_s
                message = f"{what}; started again as process {again}"
                told(Incident(at=at, subject=program, message=message, away_s=away_s))
                self._keep(program, start, told, again)
                return


def _group(place: MachineLayout) -> str:
    return f"{place.environment.key}/{place.name}"
