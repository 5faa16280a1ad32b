"""The pool: one filesystem with copy-on-write that holds images, golden volumes and machines.

Databases open their files read-write, so an overlay would copy a whole table at its first
SELECT; inside one reflink filesystem that copy is free. See docs/adr/0003-pool.md.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import signal
import time
from pathlib import Path

from greenroom.errors import HostError, OperationError
from greenroom.providers.local.cgroups import cgroup_pids
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import Layout

_GIB = 1024**3
_SHARE_OF_FREE = 0.8
_SMALLEST_GIB = 4
_UNMOUNT_S = 20.0
_LOOK_EVERY_S = 0.02
_FICLONE = 0x40049409
"""ioctl_ficlone(2)."""

_logger = logging.getLogger(__name__)


def open_pool(layout: Layout) -> None:
    """Mount the pool, making it first if need be. Idempotent. Raises HostError."""
    layout.region.state_dir.mkdir(parents=True, exist_ok=True)
    layout.region.state_dir.chmod(0o711)
    _leave_dead_pool(layout)
    layout.pool.mkdir(exist_ok=True)
    if not os.path.ismount(layout.pool) and not _clones_here(layout.pool):
        if not layout.pool_file.exists():
            _make_pool_file(layout)
        _mount_pool_file(layout)
    layout.pool.chmod(0o700)
    for folder in (layout.images, layout.goldens, layout.environments):
        folder.mkdir(exist_ok=True)
        # What begins with a dot was being made when a daemon died; nobody else makes any now.
        for unfinished in folder.glob(".*"):
            remove_tree(unfinished)


def _leave_dead_pool(layout: Layout) -> None:
    """Unmount a pool whose device failed: XFS shuts a filesystem down that it cannot write to,
    and only a mount anew opens it again. Machines stand on it and could not even be told."""
    if not _is_mounted(layout.pool):
        return
    try:
        # What a shut-down XFS still answers from memory is not enough: this asks the device.
        (layout.pool / ".alive").touch()
        (layout.pool / ".alive").unlink()
    except OSError as error:
        if error.errno != errno.EIO:
            return
    else:
        return
    _logger.error("the pool %s has failed: its machines are ended, it is mounted anew", layout.pool)
    end = time.monotonic() + _UNMOUNT_S
    while _is_mounted(layout.pool):
        for pid in cgroup_pids(f"/{layout.region.name}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OperationError):
            run(["umount", str(layout.pool)], timeout_s=30)
        if time.monotonic() > end:
            raise HostError(
                "E_POOL_GONE",
                f"the pool {layout.pool} has failed and cannot be unmounted",
                hint=f"fuser -vm {layout.pool} shows who holds it",
            )
        time.sleep(_LOOK_EVERY_S)


def _is_mounted(folder: Path) -> bool:
    """As the kernel lists it: os.path.ismount cannot look at what has failed."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(folder) for line in mounts)


def close_pool(layout: Layout) -> None:
    """Unmount the pool; its content stays in the file. Idempotent."""
    if os.path.ismount(layout.pool):
        run(["umount", str(layout.pool)], timeout_s=30)


def clone_tree(source: Path, target: Path) -> None:
    """Copy a folder with owners and modes; file contents are shared until written to."""
    run(["cp", "-a", "--reflink=auto", str(source), str(target)], timeout_s=600)


def remove_trees(*folders: Path) -> None:
    """Remove folders whatever a machine has put into it. Idempotent.

    By rm(1), which needs neither a descriptor nor a stack frame for each level of folders. Asked
    for first, because a boot removes a dozen folders that are never there, at 3 ms a process.
    """
    found = [str(folder) for folder in folders if os.path.lexists(folder)]
    if found:
        run(["rm", "-rf", "--one-file-system", "--", *found], timeout_s=600)


def remove_tree(folder: Path) -> None:
    """As ``remove_trees``, for one."""
    remove_trees(folder)


def _make_pool_file(layout: Layout) -> None:
    free_gib = shutil.disk_usage(layout.region.state_dir).free / _GIB
    size_gib = int(free_gib * _SHARE_OF_FREE)
    if size_gib < _SMALLEST_GIB:
        raise HostError(
            "E_POOL_SPACE",
            f"{layout.region.state_dir} has {free_gib:.1f} GiB free: the pool needs "
            f"{_SMALLEST_GIB / _SHARE_OF_FREE:.0f}",
            hint="free some space there, or mount a larger disk at that place",
        )
    partial = layout.pool_file.with_suffix(".partial")
    with partial.open("wb") as file:
        file.truncate(size_gib * _GIB)
    run(["mkfs.xfs", "-q", "-f", "-m", "reflink=1", str(partial)], timeout_s=60)
    partial.rename(layout.pool_file)


def _mount_pool_file(layout: Layout) -> None:
    # It holds the data of every branch: nobody but root may read the file itself.
    layout.pool_file.chmod(0o600)
    argv = ["mount", "-o", "loop,noatime", str(layout.pool_file), str(layout.pool)]
    try:
        run(argv, timeout_s=60)
    except OperationError as error:
        raise HostError(
            "E_POOL_MOUNT",
            f"the pool {layout.pool_file} cannot be mounted: {error.message}",
            hint="this host must allow loop devices, or hold "
            f"{layout.region.state_dir} on XFS with reflink or btrfs",
        ) from error


def _clones_here(folder: Path) -> bool:
    """Whether the folder's own filesystem shares file contents on request."""
    source, target = folder / ".reflink-a", folder / ".reflink-b"
    try:
        source.write_bytes(b"x" * 4096)
        with source.open("rb") as reader, target.open("wb") as writer:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
    except OSError:
        return False
    else:
        return True
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
