"""Finding the instance's data volume, making a filesystem if it is blank, and mounting it.

EBS volumes have other names in the instance than in the API, so the volume is known by what it is:
the one whole disk that nobody uses.
"""

from __future__ import annotations

import os
import time

from .backoff import tries
from .command import run
from .errors import AgentError
from .facts import write_file
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import Restore
    from .paths import Paths
    from .progress import Progress

ATTACHED_S = 300.0
"""The template may attach the volume only when the instance runs."""

COMMAND_S = 120.0
LOCAL_STORAGE = "Instance Storage"
"""In the model of a disk that comes with the instance and is lost with it (EC2 User Guide)."""

NOTHING_FOUND = 2
"""blkid's exit code for a disk without any signature (blkid(8))."""


class Disk(Value):
    """A whole disk as the kernel sees it; ``use`` says who uses it, empty if nobody does."""

    name: str
    size_bytes: int
    use: str


def mount_data_volume(
    config: Restore, paths: Paths, progress: Progress, *, patience_s: float = ATTACHED_S
) -> None:
    """Have ``config.directory`` be the data volume; raises AgentError."""
    directory = config.directory
    if is_mounted(directory, _read(paths.at("/proc/self/mountinfo"))):
        return
    progress.doing("volume: waiting for the data volume")
    disk = wait_for_disk(paths, patience_s)
    device = f"/dev/{disk.name}"
    known = signature(device)
    if not known:
        if config.mode == "clone":
            raise AgentError(f"the data volume {device} is blank: it did not start from a snapshot")
        progress.doing(f"volume: making a filesystem on {device}")
        _must(["mkfs.xfs", "-q", device])
        known = signature(device)
    kind, uuid = known.get("TYPE", ""), known.get("UUID", "")
    if not kind or not uuid:
        shown = ", ".join(f"{key}={value}" for key, value in sorted(known.items()))
        raise AgentError(f"the data volume {device} has no filesystem that can be mounted: {shown}")
    os.makedirs(paths.at(directory), exist_ok=True)
    _write_fstab(uuid, directory, kind, paths)
    progress.doing(f"volume: mounting {device}")
    _must(["mount", "-t", kind, "-o", "nodev,nosuid", device, paths.at(directory)])


def wait_for_disk(paths: Paths, patience_s: float) -> Disk:
    """The one disk that nobody uses; raises AgentError that lists what was seen."""
    disks: list[Disk] = []
    for _ in tries(time.monotonic() + patience_s, first_s=0.2, longest_s=2.0):
        disks = observe_disks(paths)
        free = [disk for disk in disks if not disk.use]
        if len(free) > 1:
            raise AgentError(
                f"which is the data volume? Nobody uses {' nor '.join(d.name for d in free)}"
            )
        if free:
            return free[0]
    seen = ", ".join(f"{disk.name} ({disk.use})" for disk in disks) or "no disk at all"
    raise AgentError(f"no data volume was attached within {patience_s:g} s; there is {seen}")


def observe_disks(paths: Paths) -> list[Disk]:
    """Every disk of the machine, by name."""
    mounts = _read(paths.at("/proc/self/mountinfo"))
    swaps = _read(paths.at("/proc/swaps"))
    base = paths.at("/sys/block")
    names = sorted(os.listdir(base)) if os.path.isdir(base) else []
    # What has no device below it is made of software: loop, RAM, device mapper.
    return [
        _disk(name, f"{base}/{name}", mounts, swaps)
        for name in names
        if os.path.exists(f"{base}/{name}/device")
    ]


def _disk(name: str, folder: str, mounts: str, swaps: str) -> Disk:
    number = _read(f"{folder}/dev").strip()
    size_bytes = int(_read(f"{folder}/size").strip() or 0) * 512
    use = ""
    if size_bytes == 0 or _read(f"{folder}/ro").strip() == "1":
        use = "empty or read-only"
    elif any(os.path.exists(f"{folder}/{entry}/partition") for entry in os.listdir(folder)):
        use = "has partitions"
    elif os.path.isdir(f"{folder}/holders") and os.listdir(f"{folder}/holders"):
        use = "belongs to another device"
    elif any(line.split()[2:3] == [number] for line in mounts.splitlines()):
        use = "is mounted"
    elif any(line.split()[:1] == [f"/dev/{name}"] for line in swaps.splitlines()):
        use = "is swap"
    elif LOCAL_STORAGE in _read(f"{folder}/device/model"):
        use = "is storage of the instance itself"
    return Disk(name=name, size_bytes=size_bytes, use=use)


def is_mounted(directory: str, mountinfo: str) -> bool:
    """Whether something is mounted there (proc_pid_mountinfo(5); pure)."""
    return any(line.split()[4:5] == [directory] for line in mountinfo.splitlines())


def signature(device: str) -> dict[str, str]:
    """What blkid finds on the disk by looking at it; empty if it is blank. Raises AgentError."""
    done = run(["blkid", "-p", "-o", "export", device], timeout_s=COMMAND_S)
    if done.code == NOTHING_FOUND and not done.out.strip():
        return {}
    if done.code != 0:
        raise AgentError(f"cannot tell what is on {device}: blkid {done.code}: {done.said}")
    pairs = (line.split("=", 1) for line in done.out.splitlines() if "=" in line)
    return {key: value for key, value in pairs if key != "DEVNAME"}


def _write_fstab(uuid: str, directory: str, kind: str, paths: Paths) -> None:
    path = paths.at("/etc/fstab")
    lines = with_mount(_read(path).splitlines(), uuid, directory, kind)
    write_file(path, "\n".join([*lines, ""]))


def with_mount(lines: Sequence[str], uuid: str, directory: str, kind: str) -> list[str]:
    """fstab's lines with this mount in place of any other at ``directory`` (fstab(5); pure).

    A volume that is not there must not keep the instance from booting: somebody has to tell.
    """
    kept = [line for line in lines if line.split()[1:2] != [directory] or line.startswith("#")]
    options = "nodev,nosuid,nofail,x-systemd.device-timeout=60"
    return [*kept, f"UUID={uuid} {directory} {kind} {options} 0 0"]


def _must(argv: Sequence[str]) -> None:
    done = run(argv, timeout_s=COMMAND_S)
    if done.code != 0:
        raise AgentError(f"{' '.join(argv)} failed ({done.code}): {done.said}")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
