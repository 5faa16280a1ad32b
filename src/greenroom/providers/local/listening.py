"""Which ports are listened on, by the kernel's own tables (sock_diag(7)): no process is asked.

Only listeners are walked through. /proc/net/tcp says the same, and walks through every
connection's slot of the whole host, which takes a millisecond for each machine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from greenroom.model.stack import Protocol
from greenroom.providers.local import kernel

_SOCK_DIAG = 4
_BY_FAMILY = 20
_DUMP_REQUEST = 0x1 | 0x300
_DONE, _ERROR = 3, 2
_LISTENING, _UNCONNECTED = 1 << 10, 1 << 7
"""TCP_LISTEN, and TCP_CLOSE, which is what a UDP socket is before connect(2)."""
_KINDS = (
    (Protocol.TCP, socket.IPPROTO_TCP, _LISTENING),
    (Protocol.UDP, socket.IPPROTO_UDP, _UNCONNECTED),
)
_LOOPBACK_SIX = bytes(15) + b"\x01"
_REQUEST = struct.Struct("=IHHIIBBBxI48x")

Port = tuple[Protocol, int]


def listening_in(namespaces: Iterable[Path]) -> dict[Path, frozenset[Port]]:
    """The ports on which anything in these network namespaces can be reached; of one that is
    gone, none. Sockets bound to loopback are left out. Raises OSError."""

    def read() -> dict[Path, frozenset[Port]]:
        found: dict[Path, frozenset[Port]] = {}
        for namespace in namespaces:
            found[namespace] = frozenset()
            # EINVAL: the file is there, but nothing is mounted on it any more.
            with contextlib.suppress(FileNotFoundError), _unmounted():
                kernel.enter_network(namespace)
                found[namespace] = listening_here()
        return found

    return kernel.in_own_thread(read)


def listening_here() -> frozenset[Port]:
    """The same for the calling thread's namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as diagnosis:
        return frozenset(
            (protocol, port)
            for protocol, number, states in _KINDS
            for family in (socket.AF_INET, socket.AF_INET6)
            for port in _bound(diagnosis, family, number, states)
        )


@contextlib.contextmanager
def _unmounted() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _bound(diagnosis: socket.socket, family: int, protocol: int, states: int) -> Iterator[int]:
    head = (_REQUEST.size, _BY_FAMILY, _DUMP_REQUEST, 1, 0)
    diagnosis.send(_REQUEST.pack(*head, family, protocol, 0, states))
    while True:
        data = diagnosis.recv(1 << 17)
        offset = 0
        while offset < len(data):
            length, kind = struct.unpack_from("=IH", data, offset)
            body = data[offset + 16 : offset + length]
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -struct.unpack_from("=i", body)[0]
                if family == socket.AF_INET6 and number in (errno.ENOENT, errno.EAFNOSUPPORT):
                    return  # A kernel without IPv6.
                raise OSError(number, f"sock_diag: {os.strerror(number)}")
            if not _is_loopback(family, body[8:24]):
                yield int.from_bytes(body[4:6], "big")
            offset += (length + 3) & ~3


def _is_loopback(family: int, address: bytes) -> bool:
    return address[0] == 127 if family == socket.AF_INET else address == _LOOPBACK_SIX
