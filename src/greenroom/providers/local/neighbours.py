"""Which user of this host is at the other end of a connection over its loopback.

The kernel is asked for the one socket by its two addresses and ports (sock_diag(7)), which costs
some 20 µs however many there are; /proc/net/tcp would have to be read whole.
"""

from __future__ import annotations

import socket
import struct

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 0x1
_ESTABLISHED = 1
_ANY_COOKIE = b"\xff" * 8
_QUESTION = struct.Struct("=IHHIIBBBxIHH4s12x4s12xI8s")
"""nlmsghdr, and inet_diag_req_v2 for IPv4 (linux/inet_diag.h)."""
_UID_AT, _INODE_AT, _STATE_AT = 16 + 64, 16 + 68, 16 + 1


def user_at_other_end(connection: socket.socket) -> int | None:
    """The user id of the process that connected; None if it has gone already, or is not of this
    host and network namespace, or the kernel does not tell."""
    try:
        question = _question(connection.getpeername(), connection.getsockname())
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as diagnosis:
            diagnosis.send(question)
            return _user_in(diagnosis.recv(4096))
    except OSError:
        return None


def _question(theirs: tuple[str, int], ours: tuple[str, int]) -> bytes:
    return _QUESTION.pack(
        _QUESTION.size,
        _BY_FAMILY,
        _REQUEST,
        1,
        0,
        socket.AF_INET,
        socket.IPPROTO_TCP,
        0,
        1 << _ESTABLISHED,
        socket.htons(theirs[1]),
        socket.htons(ours[1]),
        socket.inet_aton(theirs[0]),
        socket.inet_aton(ours[0]),
        0,
        _ANY_COOKIE,
    )


def _user_in(reply: bytes) -> int | None:
    (kind,) = struct.unpack_from("=H", reply, 4)
    if kind != _BY_FAMILY or reply[_STATE_AT] != _ESTABLISHED:
        return None
    (uid,) = struct.unpack_from("=I", reply, _UID_AT)
    (inode,) = struct.unpack_from("=I", reply, _INODE_AT)
    # A socket that its process has closed belongs to nobody, and would read as root's.
    return uid if inode else None
