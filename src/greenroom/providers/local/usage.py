"""What each machine occupies in the pool, and which of them ate it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import GreenroomError
from greenroom.model.names import EnvironmentName
from greenroom.providers.local.cgroups import cgroup_pids
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import Layout, MachineLayout

_FIEMAP = 0xC020660B
_SHARED, _LAST = 0x2000, 0x1
_HEADER, _EXTENT = struct.Struct("=QQLLLL"), struct.Struct("=QQQQQLLLL")
_EXTENTS = 256
_NOISE_BYTES = 16 * 1024**2
"""What any server may write between two looks."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A machine that occupies room in the pool."""

    environment: EnvironmentName
    machine: str


def tenants(layout: Layout) -> tuple[Tenant, ...]:
    """The machines that run, drills too; not read from the pool, which may be gone."""
    found = []
    for folder in sorted(layout.machines_run.glob("*/*")):
        stack, _, slug = folder.parent.name.partition(".")
        tenant = Tenant(EnvironmentName(stack, slug), folder.name)
        if cgroup_pids(place_of(layout, tenant).cgroup):
            found.append(tenant)
    return tuple(found)


def place_of(layout: Layout, tenant: Tenant) -> MachineLayout:
    """The tenant's paths."""
    return layout.machine(tenant.environment, tenant.machine)


def usage_bytes(place: MachineLayout) -> int:
    """What would be free if the machine were gone: its blocks that no golden volume has, and
    files that it has deleted but keeps open, as databases do with what they sort."""
    return max(0, _blocks(place) - _shared(place)) + deleted_bytes(
        cgroup_pids(place.cgroup), place.data
    )


def eater(before: Mapping[Tenant, int], now: Mapping[Tenant, int]) -> Tenant | None:
    """Of the machines that grow, the one that holds the most; None if nobody grows (pure).

    Growing is having written at least half of what the fastest one wrote since ``before``, so
    that a large machine that is at rest does not pay for a small one that runs wild.
    """
    grown = {tenant: held - before.get(tenant, 0) for tenant, held in now.items()}
    most = max(grown.values(), default=0)
    if most < _NOISE_BYTES:
        return None
    growing = [tenant for tenant, bytes_ in grown.items() if bytes_ * 2 >= most]
    return max(growing, key=lambda tenant: now[tenant])


def _blocks(place: MachineLayout) -> int:
    """By du(1), which no depth of folders and no number of links confuses."""
    with contextlib.suppress(GreenroomError, ValueError):
        listed = run(["du", "-sx", "-B1", str(place.data)], timeout_s=60, accept=(0, 1))
        return int(listed.split()[0])
    return 0


def _shared(place: MachineLayout) -> int:
    """What its volume shares with other files: its golden volume's blocks (FS_IOC_FIEMAP)."""
    total = 0
    for folder, _, names in os.walk(place.volume):
        for name in names:
            with contextlib.suppress(OSError):
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(f"{folder}/{name}", flags)
                try:
                    total += sum(length for length, shared in _extents(descriptor) if shared)
                finally:
                    os.close(descriptor)
    return total


def _extents(descriptor: int) -> Iterator[tuple[int, bool]]:
    """Length and whether it is shared, of each extent (fiemap.rst in the kernel's tree)."""
    start = 0
    while True:
        head = _HEADER.pack(start, 2**64 - 1 - start, 0, 0, _EXTENTS, 0)
        buffer = bytearray(head + bytes(_EXTENTS * _EXTENT.size))
        fcntl.ioctl(descriptor, _FIEMAP, buffer)
        count = _HEADER.unpack_from(buffer)[3]
        for number in range(count):
            at, _, length, _, _, flags, *_ = _EXTENT.unpack_from(
                buffer, _HEADER.size + number * _EXTENT.size
            )
            yield length, bool(flags & _SHARED)
            if flags & _LAST:
                return
            start = at + length
        if not count:
            return


def deleted_bytes(pids: Iterable[int], pool: Path) -> int:
    """Files without a name in the filesystem of ``pool`` that the processes have open or mapped,
    each once.

    An overlay has a device number of its own, but is as large as what it lies on; a file in
    memory, whatever it calls itself, is in another filesystem.
    """
    try:
        size = _filesystem_bytes(pool)
    except OSError:
        return 0
    seen: set[tuple[int, int]] = set()
    total = 0
    for pid in pids:
        for folder in ("fd", "map_files"):
            with contextlib.suppress(OSError):
                for link in os.scandir(f"/proc/{pid}/{folder}"):
                    with contextlib.suppress(OSError):
                        status = Path(link.path).stat()
                        key = (status.st_dev, status.st_ino)
                        if status.st_nlink or key in seen:
                            continue
                        seen.add(key)
                        if _filesystem_bytes(link.path) == size:
                            total += status.st_blocks * 512
    return total


def _filesystem_bytes(path: str | Path) -> int:
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize
