"""The few system calls that Python 3.11 has no name for: namespaces and the new mount API.

A *thread* may enter a mount or network namespace of its own, and a process that it starts
inherits it; the rest of the daemon stays where it is. That is how a machine's root filesystem is
mounted where only that machine sees it (nothing to clean up, whatever dies), and how sockets are
opened inside the region. See unshare(2), setns(2), mount(2), open_tree(2), mount_setattr(2).
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000

MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20
MNT_DETACH = 0x2

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 0x1
_OPEN_TREE_CLOEXEC = os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
_MOUNT_ATTR_RDONLY = 0x1
_MOUNT_ATTR_IDMAP = 0x00100000
# These numbers are the same on every architecture: they came after the tables were unified.
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_MOUNT_SETATTR = 442

_libc = ctypes.CDLL(None, use_errno=True)
_T = TypeVar("_T")


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _checked(result: int, call: str, subject: object) -> int:
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{call}: {os.strerror(errno)}", str(subject))
    return result


def unshare_mounts() -> None:
    """Give the calling thread a private copy of the mount namespace.

    Private, so that nothing mounted here is seen by the host, nor pinned by what the host mounts
    later. Raises OSError.
    """
    _checked(_libc.unshare(CLONE_NEWNS), "unshare", "mount namespace")
    mount(None, Path("/"), None, MS_REC | MS_PRIVATE)


def unshare_network() -> None:
    """Give the calling thread a new network namespace. Raises OSError."""
    _checked(_libc.unshare(CLONE_NEWNET), "unshare", "network namespace")


def enter_network(namespace: Path) -> None:
    """Move the calling thread into a network namespace. Raises OSError."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter_network_of(descriptor)
    finally:
        os.close(descriptor)


def enter_network_of(descriptor: int) -> None:
    """As ``enter_network``, for one that is open already. Raises OSError."""
    _checked(_libc.setns(descriptor, CLONE_NEWNET), "setns", f"network namespace {descriptor}")


def mount(
    source: Path | str | None, target: Path, kind: str | None, flags: int, data: str = ""
) -> None:
    """mount(2). Raises OSError that names the target."""
    _checked(
        _libc.mount(
            None if source is None else os.fsencode(source),
            os.fsencode(target),
            None if kind is None else kind.encode(),
            ctypes.c_ulong(flags),
            data.encode() if data else None,
        ),
        "mount",
        target,
    )


def unmount(target: Path, flags: int = 0) -> None:
    """umount2(2). Raises OSError that names the target."""
    _checked(_libc.umount2(os.fsencode(target), flags), "umount", target)


def bind_idmapped(
    source: Path, target: Path, user_namespace_fd: int, *, read_only: bool = False
) -> None:
    """Bind ``source`` at ``target`` with owners shifted into the given user namespace.

    The files keep their owners on disk; through this mount uid 0 appears as the namespace's
    first id, so that one image serves machines of different id ranges. Raises OSError.
    """
    tree = _checked(
        _libc.syscall(
            _SYS_OPEN_TREE,
            _AT_FDCWD,
            os.fsencode(source),
            _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC,
        ),
        "open_tree",
        source,
    )
    try:
        wanted = _MOUNT_ATTR_IDMAP | (_MOUNT_ATTR_RDONLY if read_only else 0)
        attributes = _MountAttr(attr_set=wanted, userns_fd=user_namespace_fd)
        _checked(
            _libc.syscall(
                _SYS_MOUNT_SETATTR,
                tree,
                b"",
                _AT_EMPTY_PATH,
                ctypes.byref(attributes),
                ctypes.sizeof(attributes),
            ),
            "mount_setattr",
            source,
        )
        _checked(
            _libc.syscall(
                _SYS_MOVE_MOUNT,
                tree,
                b"",
                _AT_FDCWD,
                os.fsencode(target),
                _MOVE_MOUNT_F_EMPTY_PATH,
            ),
            "move_mount",
            target,
        )
    finally:
        os.close(tree)


def is_alive(pid: int) -> bool:
    """Whether there is such a process and it has not ended: one that nobody has waited for is in
    /proc still (proc(5), state Z)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def is_in_network(pid: int, namespace: Path) -> bool:
    """Whether the process is in that network namespace (namespaces(7): the inode tells)."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == namespace.stat().st_ino
    except OSError:
        return False


def in_own_thread(work: Callable[[], _T]) -> _T:
    """Run ``work`` in a thread that is thrown away, so that its namespaces end with it."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 -- handed to the caller's thread below
            errors.append(error)

    thread = threading.Thread(target=call, name="namespace", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def in_network(namespace: Path, work: Callable[[], _T]) -> _T:
    """Run ``work`` with a network namespace entered; sockets that it opens stay in there."""

    def call() -> _T:
        enter_network(namespace)
        return work()

    return in_own_thread(call)
