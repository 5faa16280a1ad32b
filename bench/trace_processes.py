"""Every process that is born, executes or ends, as the kernel tells it: the process connector.

Nothing that is watched gets slower by it, as under strace; the times are the kernel's own, on the
monotonic clock (Documentation/driver-api/connector.rst, linux/cn_proc.h).
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path

_NETLINK_CONNECTOR = 11
_CN_IDX_PROC = 1
_LISTEN, _IGNORE = 1, 2
_HEADER_BYTES = 36
"""struct nlmsghdr and struct cn_msg before struct proc_event."""
_FORK, _EXEC, _EXIT = 0x1, 0x2, 0x80000000


@dataclass(slots=True)
class Process:
    """One process: when it was born, what it executed, when it ended (None: it lives)."""

    pid: int
    parent: int
    born: float
    execs: list[tuple[float, str]] = field(default_factory=list)
    cgroup: str = ""
    ended: float | None = None


class Watch:
    """A context manager that listens while it is open; ``processes`` holds what it heard."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self._living: dict[int, Process] = {}
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_CONNECTOR)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Watch:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.settimeout(0.1)
        self._socket.bind((0, _CN_IDX_PROC))
        self._say(_LISTEN)
        self._open = True
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()
        self._say(_IGNORE)
        self._socket.close()

    def _say(self, word: int) -> None:
        length = _HEADER_BYTES + 4
        header = struct.pack("=IHHII", length, 3, 0, 0, os.getpid())
        body = struct.pack("=IIIIHHI", _CN_IDX_PROC, 1, 0, 0, 4, 0, word)
        self._socket.send(header + body)

    def _listen(self) -> None:
        while self._open:
            try:
                message = self._socket.recv(4096)
            except TimeoutError:
                continue
            what, _, nanoseconds, *ids = struct.unpack_from("=IIQIIII", message, _HEADER_BYTES)
            self._hear(what, nanoseconds / 1e9, ids)

    def _hear(self, what: int, at: float, ids: list[int]) -> None:
        if what == _FORK and ids[2] == ids[3]:
            self._add(Process(ids[2], ids[1], at))
        elif what == _EXEC:
            process = self._living.get(ids[1]) or self._add(Process(ids[1], 0, at))
            process.execs.append((at, _command_line(process.pid)))
            process.cgroup = _cgroup(process.pid) or process.cgroup
        elif what == _EXIT and ids[0] == ids[1] and ids[0] in self._living:
            self._living.pop(ids[0]).ended = at

    def _add(self, process: Process) -> Process:
        self.processes.append(process)
        self._living[process.pid] = process
        return process


def _command_line(pid: int) -> str:
    """What it executes; empty if it ended before we looked."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return b" ".join(words).decode(errors="replace").strip()


def _cgroup(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
