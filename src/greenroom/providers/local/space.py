"""How much room the pool has, and the host's disk below it; what of it nobody may take.

The pool is one filesystem for all machines, and a sparse file on the host's disk: it may be full
in itself, or its file may find no more blocks, which every machine of the region would feel.
A reserve of each is therefore kept free. See docs/adr/0017-space.md.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import GreenroomError, HostError
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import Layout

_MIB = 1024**2
_GIB = 1024**3
_RESERVE_SHARE = 0.05
_RESERVE_MIN_BYTES = 256 * _MIB
_RESERVE_MAX_BYTES = 4 * _GIB
_BALLAST_BYTES = 256 * _MIB
_LEDGER_BYTES = 32 * _MIB
"""What a daemon writes to the disk before it serves: the ledger's log and its index."""
NEXT_STEP = (
    "greenroom destroy what nobody needs (greenroom list), greenroom image remove (greenroom "
    "image list)"
)
POOL_EATEN_MEND = f"let it write less, or give the pool more room: {NEXT_STEP}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a filesystem has left; ``what`` names it in messages."""

    what: str
    free_bytes: int
    size_bytes: int

    @property
    def reserve_bytes(self) -> int:
        """What no create may plan with, and below which the machine that eats it is stopped."""
        share = int(self.size_bytes * _RESERVE_SHARE)
        return max(_RESERVE_MIN_BYTES, min(share, _RESERVE_MAX_BYTES))

    @property
    def ease(self) -> float:
        """Free space in reserves: 1 is the line."""
        return self.free_bytes / self.reserve_bytes

    def __str__(self) -> str:
        return f"{self.what} has {amount(self.free_bytes)} free of {amount(self.size_bytes)}"


def amount(size_bytes: int) -> str:
    """``512 MiB``, ``1.5 GiB``."""
    if abs(size_bytes) < _GIB:
        return f"{size_bytes // _MIB} MiB"
    return f"{size_bytes / _GIB:.1f} GiB"


def pool_room(layout: Layout) -> Room:
    """The pool's. Raises HostError (E_POOL_GONE) if it does not answer."""
    try:
        found = os.statvfs(layout.pool)
        # Also a filesystem that was shut down still tells its size.
        device = layout.pool.stat().st_dev
    except OSError as error:
        raise _pool_gone(layout, f"does not answer: {error.strerror}") from error
    if layout.pool_file.exists() and device == layout.region.state_dir.stat().st_dev:
        raise _pool_gone(layout, "is not mounted any more")
    return Room(
        what=f"the pool {layout.pool}",
        free_bytes=found.f_bavail * found.f_frsize,
        size_bytes=found.f_blocks * found.f_frsize,
    )


def disk_room(layout: Layout) -> Room:
    """That of the host's disk below the pool's file and the ledger.

    What the kernel has still to write is taken off: it may be data of the pool for which no block
    of the disk has been chosen yet.
    """
    folder = layout.region.state_dir
    found = os.statvfs(folder)
    return Room(
        what=f"the disk of {folder}",
        free_bytes=max(0, found.f_bfree * found.f_frsize - _dirty_bytes()),
        size_bytes=found.f_blocks * found.f_frsize,
    )


def rooms(layout: Layout) -> tuple[Room, ...]:
    """Every filesystem that must not fill, the pool first."""
    return (pool_room(layout), disk_room(layout))


def require_room(layout: Layout, needed_bytes: int) -> None:
    """Refuse what needs more than there is beyond the reserve. Raises HostError (E_POOL_FULL,
    E_DISK_FULL)."""
    codes = ("E_POOL_FULL", "E_DISK_FULL")
    for code, room in zip(codes, rooms(layout), strict=True):
        if room.free_bytes - room.reserve_bytes < needed_bytes:
            raise HostError(
                code,
                f"{room}: this needs about {amount(needed_bytes)}, and "
                f"{amount(room.reserve_bytes)} are kept in reserve for what runs",
                hint=NEXT_STEP if code == "E_POOL_FULL" else f"free some space there; {NEXT_STEP}",
            )


def _pool_gone(layout: Layout, how: str) -> HostError:
    return HostError(
        "E_POOL_GONE",
        f"the pool {layout.pool} {how}",
        hint=f"dmesg tells why; when {layout.pool_file} can be read again: greenroom serve --stop, "
        "then any command mounts it anew and brings the machines back",
    )


def trim(layout: Layout) -> None:
    """Give back to the host's disk what was deleted in the pool (fstrim(8)).

    37 ms for 300 MB; a pool that is no file of its own has nothing to give.
    """
    if layout.pool_file.exists():
        with contextlib.suppress(GreenroomError):
            run(["fstrim", str(layout.pool)], timeout_s=60)


def take_ballast(layout: Layout) -> None:
    """Occupy some of the disk, to have it when the disk is full. Idempotent; a disk without the
    room for it has none."""
    path = ballast_path(layout)
    if path.exists():
        return
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _BALLAST_BYTES)
        partial.rename(path)
    except OSError:
        partial.unlink(missing_ok=True)


def drop_ballast(layout: Layout) -> bool:
    """Free it; True if there was some."""
    path = ballast_path(layout)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def make_way(layout: Layout) -> None:
    """Free the ballast if a daemon could not even open its ledger without it."""
    if ballast_path(layout).exists() and disk_room(layout).free_bytes < _LEDGER_BYTES:
        drop_ballast(layout)


def ballast_path(layout: Layout) -> Path:
    """Where the ballast lies."""
    return layout.region.state_dir / "ballast"


def _dirty_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Dirty:"):
            return int(line.split()[1]) * 1024
    return 0
