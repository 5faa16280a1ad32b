"""Being told when a process ends: one thread, a descriptor per process, no polling.

A pidfd becomes readable when its process ends, whoever's child it is, and names that process even
when its number is given to another (pidfd_open(2)).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import signal
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PIDFD_GET_INFO = 0xC040FF0B
"""_IOWR(0xFF, 11, struct pidfd_info) with the 64 bytes of its first version (linux/pidfd.h)."""
_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60
UNKNOWN = "ended"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    group: str
    pid: int
    ended: Callable[[str], None]


class Watch:
    """Calls back, from its own thread, when a process ends. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[int, _Entry] = {}
        # Only the thread closes descriptors: a number that it has just been told of must not
        # come to mean another process before it has looked.
        self._doomed: list[int] = []
        self._closing = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def add(self, group: str, pid: int, ended: Callable[[str], None]) -> None:
        """Call ``ended`` with how it ended («was killed by SIGKILL»), at once if it has already.

        ``ended`` must not block. ``group`` is what ``forget`` takes.
        """
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            ended(UNKNOWN)
            return
        with self._lock:
            if self._closing:
                os.close(descriptor)
                return
            self._entries[descriptor] = _Entry(group, pid, ended)
            self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, group: str) -> None:
        """Say nothing any more of the processes of that group, nor of ``group/…``."""
        with self._lock:
            if self._closing:
                return
            for descriptor, entry in list(self._entries.items()):
                if entry.group == group or entry.group.startswith(f"{group}/"):
                    del self._entries[descriptor]
                    self._epoll.unregister(descriptor)
                    self._doomed.append(descriptor)
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End the thread, and say nothing any more. Idempotent."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            os.eventfd_write(self._wake, 1)
        self._thread.join()
        for descriptor in (*self._entries, *self._doomed, self._wake):
            os.close(descriptor)
        self._epoll.close()

    def _run(self) -> None:
        while not self._closing:
            for descriptor, _ in self._epoll.poll():
                if descriptor == self._wake:
                    os.eventfd_read(self._wake)
                    continue
                with self._lock:
                    entry = self._entries.pop(descriptor, None)
                    if entry is not None:
                        self._epoll.unregister(descriptor)
                        self._doomed.append(descriptor)
                if entry is not None:
                    self._tell(entry, descriptor)
            with self._lock:
                while self._doomed:
                    os.close(self._doomed.pop())

    def _tell(self, entry: _Entry, descriptor: int) -> None:
        try:
            entry.ended(how_it_ended(descriptor, entry.pid))
        except Exception:
            # Whoever is told must not end the telling of others.
            _logger.exception("the end of process %d was not dealt with", entry.pid)


def how_it_ended(pidfd: int, pid: int) -> str:
    """«was killed by SIGKILL», «ended with exit code 1», or UNKNOWN.

    The status of a process that is not our child can be read while nobody has waited for it yet
    (proc_pid_stat(5), field 52), and from its pidfd afterwards, since Linux 6.15.
    """
    status = _zombie_status(pid)
    if status is None:
        status = _reaped_status(pidfd)
    return UNKNOWN if status is None else described(status)


def described(status: int) -> str:
    """A wait status (wait(2)) as a clause (pure)."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(number).name}"
        return f"was killed by signal {number}"
    return f"ended with exit code {os.WEXITSTATUS(status)}"


def _zombie_status(pid: int) -> int | None:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(words[-1]) if words[0] == "Z" else None


def _reaped_status(pidfd: int) -> int | None:
    info = bytearray(64)
    struct.pack_into("=Q", info, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    (mask,) = struct.unpack_from("=Q", info, 0)
    (status,) = struct.unpack_from("=i", info, _EXIT_CODE_AT)
    return status if mask & _INFO_EXIT else None
