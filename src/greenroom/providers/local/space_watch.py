"""Keeps the reserve: stops the machine that eats the pool, before the others feel it.

A look costs two statvfs(2) while there is room. Machines are measured only when the free space
has changed by half a reserve, so the work follows what is written, not the time. It keeps the
machines' consoles in bounds too, which lie in memory.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator

from greenroom.errors import GreenroomError, HostError, OperationError
from greenroom.providers.local import space
from greenroom.providers.local.cgroups import freeze, thaw
from greenroom.providers.local.console import bound_consoles
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.machine import remove_container
from greenroom.providers.local.space import NEXT_STEP, POOL_EATEN_MEND, Room, amount
from greenroom.providers.local.usage import Tenant, eater, place_of, tenants, usage_bytes

_FASTEST_BYTES_S = 4 * 1024**3
"""What a machine may write in a second, to the page cache: looks come the sooner, the less is
left."""
_SHORTEST_S, _LONGEST_S = 0.05, 0.25
_AFTER_BREAKING_S = 1.0
_TIGHT = 1.0
_EASY = 1.25
_HOLD = 0.5
"""Of the host's disk: below, everything is held still."""

_STILL_S = 0.2
"""For so long machines may be held still while they are measured."""

_logger = logging.getLogger(__name__)
Stopped = Callable[[Tenant, GreenroomError], None]
Doubted = Callable[[str, GreenroomError], None]


class SpaceWatch:
    """Looks again and again. ``stopped`` is called for each machine that it had to stop,
    ``doubted`` (with ``pool`` or ``disk``) for what concerns all of them."""

    def __init__(self, layout: Layout, *, stopped: Stopped, doubted: Doubted) -> None:
        self._layout = layout
        self._stopped = stopped
        self._doubted = doubted
        self._line = _TIGHT
        self._measured: dict[Tenant, int] = {}
        self._measured_at: tuple[int, ...] = ()
        # None: who knows what a daemon before us has held.
        self._holding: bool | None = None
        self._gone = False

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look in a thread of its own while the block runs."""
        ended = threading.Event()
        worker = threading.Thread(target=self._work, args=(ended,), name="space", daemon=True)
        worker.start()
        try:
            yield
        finally:
            ended.set()
            worker.join()

    def _work(self, ended: threading.Event) -> None:
        pause_s = 0.0
        while not ended.wait(pause_s):
            try:
                pause_s = self.look()
            except Exception:
                # Nobody else would keep the reserves.
                _logger.exception("the watch over pool and disk broke; it goes on")
                pause_s = _AFTER_BREAKING_S

    def look(self) -> float:
        """Look once, and act; returns the seconds until the next look is due."""
        bound_consoles(self._layout)
        try:
            rooms = space.rooms(self._layout)
        except HostError as error:
            self._pool_is_gone(error)
            return _LONGEST_S
        self._gone = False
        pool, disk = rooms
        tightest = min(rooms, key=lambda room: room.ease)
        if self._holding is not False and disk.ease > _EASY:
            self._let_go()
        if disk.ease > 2 * _EASY:
            space.take_ballast(self._layout)
        if tightest.ease > _EASY:
            self._line = _TIGHT
        if tightest.ease < self._line:
            self._make_room(tightest, of_the_disk=tightest is not pool)
        else:
            self._measure_if_changed(rooms)
        margin_bytes = max(0, tightest.free_bytes - tightest.reserve_bytes)
        return max(_SHORTEST_S, min(margin_bytes / _FASTEST_BYTES_S, _LONGEST_S))

    def _measure_if_changed(self, rooms: tuple[Room, ...]) -> None:
        free = tuple(room.free_bytes for room in rooms)
        steps = [room.reserve_bytes // 2 for room in rooms]
        changes = zip(free, self._measured_at or free, steps, strict=True)
        if not self._measured_at or any(abs(now - then) > step for now, then, step in changes):
            self._measured, self._measured_at = self._measure(tenants(self._layout)), free

    def _measure(self, found: Iterable[Tenant]) -> dict[Tenant, int]:
        return {tenant: usage_bytes(place_of(self._layout, tenant)) for tenant in found}

    def _make_room(self, room: Room, *, of_the_disk: bool) -> None:
        """Stop the machine that ate it; without one, protect what runs from somebody else."""
        if of_the_disk:
            space.trim(self._layout)
            room = space.disk_room(self._layout)
            if room.ease >= self._line:
                return
        fresh = [tenant for tenant in tenants(self._layout) if tenant not in self._measured]
        if fresh:
            # Nobody knows yet who grows: a machine that is merely large is not to blame.
            if of_the_disk and room.ease < _HOLD:
                self._hold(room)
            self._measured |= self._measure(fresh)
            return
        found, now = self._find_eater()
        if found is not None:
            self._stop(found, room, now[found])
        elif of_the_disk and room.ease < _HOLD:
            self._hold(room)
        else:
            _logger.warning("%s, and no machine is to blame: %s", room, NEXT_STEP)
        # The next one goes only when half of what is left now is gone too: a machine that was
        # stopped keeps its files, so the line stays crossed until somebody destroys it.
        self._line = min(self._line, room.ease) / 2

    def _find_eater(self) -> tuple[Tenant | None, dict[Tenant, int]]:
        """Who ate it, and what each holds. All machines are held still meanwhile, since the eater
        would use the time for another few hundred MiB, but not for longer than a moment: a
        machine can make itself long to measure.
        """
        region = f"/{self._layout.region.name}"
        enough = threading.Timer(_STILL_S, thaw, (region,))
        freeze(region)
        enough.start()
        try:
            now = self._measure(tenants(self._layout))
            found = eater(self._measured, now)
            self._measured = now
            if found is not None:
                freeze(place_of(self._layout, found).cgroup)
        finally:
            enough.cancel()
            thaw(region)
        return found, now

    def _stop(self, tenant: Tenant, room: Room, held_bytes: int) -> None:
        place = place_of(self._layout, tenant)
        error = OperationError(
            "E_POOL_EATEN",
            f"{tenant.machine} was stopped: it holds {amount(held_bytes)} and went on, {room}, "
            f"and {amount(room.reserve_bytes)} are kept in reserve for the others",
            hint=POOL_EATEN_MEND,
        )
        _logger.error("%s: %s", tenant.environment, error.message)
        try:
            place.bundle.mkdir(exist_ok=True)
            place.stopped.write_text(error.message)
        except FileNotFoundError:
            # Destroyed meanwhile: a folder made now would be left over.
            return
        # Told first: whoever brings machines back that have ended must know that this one shall
        # not come back.
        self._stopped(tenant, error)
        try:
            remove_container(place)
        except GreenroomError as second:
            _logger.error("%s: %s", tenant.environment, second.message)

    def _hold(self, room: Room) -> None:
        """Hold every machine still and free the ballast, so that what they have written already
        finds its blocks: the pool's file must not meet a full disk."""
        if self._holding:
            return
        self._holding = True
        for tenant in tenants(self._layout):
            freeze(place_of(self._layout, tenant).cgroup)
        freed = space.drop_ballast(self._layout)
        ballast = "; the ballast was freed" if freed else ""
        error = HostError(
            "E_DISK_FULL",
            f"{room}: all machines are held still until there is more{ballast}",
            hint="free some space there",
        )
        _logger.error("%s", error.message)
        self._doubted("disk", error)

    def _let_go(self) -> None:
        for tenant in tenants(self._layout):
            thaw(place_of(self._layout, tenant).cgroup)
        self._holding = False

    def _pool_is_gone(self, error: HostError) -> None:
        if self._gone:
            return
        self._gone = True
        _logger.error("%s", error.message)
        self._doubted("pool", error)
