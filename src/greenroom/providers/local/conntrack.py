"""Which datagrams the region has forwarded, by its connection tracking; and how it forgets the
connections of a machine that is gone.

The kernel confirms an entry when the first packet has passed the last chain, so an entry is
evidence that no rule took the packet (linux/netfilter/nfnetlink_conntrack.h). One question costs
some 20 µs, however many connections there are.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_NETFILTER = 12
_GET_ENTRY = 1 << 8 | 1
_DELETE_ENTRY = 1 << 8 | 2
_REQUEST = 0x1
_ACKNOWLEDGE = 0x4
_DUMP = 0x300
_ERROR = 2
_DONE = 3
_TYPE = 0x3FFF
_DUMP_BYTES = 1 << 16
_INET = struct.pack("=BBH", socket.AF_INET, 0, 0)
_NESTED = 0x8000
_ORIGINAL_TUPLE = 1


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP flow in the direction of its first packet."""

    source: str
    source_port: int
    target: str
    target_port: int


def forwarded(datagrams: Iterable[Datagram]) -> Iterator[Datagram]:
    """Those that the calling thread's namespace has let pass. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as netfilter:
        for datagram in datagrams:
            netfilter.send(_question(datagram))
            reply = netfilter.recv(4096)
            kind, number = struct.unpack_from("=HxxxxxxxxxxI", reply, 4)
            if kind != _ERROR:
                yield datagram
            elif _errno(number) != errno.ENOENT:
                raise OSError(_errno(number), f"conntrack: {os.strerror(_errno(number))}")


def forget(addresses: Collection[str]) -> int:
    """Drop the connections from and to these addresses in the calling thread's namespace; how
    many there were. Raises OSError.

    The region lets pass what belongs to a connection without asking its rules again. An address
    soon belongs to another machine, which must not inherit what its predecessor had open. The
    kernel walks its whole table for it, which took 5 ms.
    """
    wanted = {socket.inet_aton(address) for address in addresses}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as netfilter:
        found = [t for t in _tuples(netfilter) if wanted & set(_addresses(t))]
        for original in found:
            body = _INET + _attribute(_ORIGINAL_TUPLE | _NESTED, original)
            netfilter.send(_message(_DELETE_ENTRY, _REQUEST | _ACKNOWLEDGE, body))
            (number,) = struct.unpack_from("=i", netfilter.recv(4096), 16)
            # It may have ended by itself meanwhile.
            if number not in (0, -errno.ENOENT):
                raise OSError(-number, f"conntrack: {os.strerror(-number)}")
    return len(found)


def _tuples(netfilter: socket.socket) -> Iterator[bytes]:
    """The original tuple of every IPv4 connection, as the kernel writes it."""
    netfilter.send(_message(_GET_ENTRY, _REQUEST | _DUMP, _INET))
    while True:
        answer = netfilter.recv(_DUMP_BYTES)
        at = 0
        while at < len(answer):
            length, kind = struct.unpack_from("=IH", answer, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                (number,) = struct.unpack_from("=i", answer, at + 16)
                raise OSError(-number, f"conntrack: {os.strerror(-number)}")
            attributes = dict(_attributes(answer[at + 16 + len(_INET) : at + length]))
            yield attributes[_ORIGINAL_TUPLE]
            at += _padded(length)


def _addresses(original: bytes) -> Iterator[bytes]:
    """Source and destination of a tuple."""
    addresses = dict(_attributes(dict(_attributes(original))[1]))
    yield from (addresses[1], addresses[2])


def _attributes(text: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(text):
        length, kind = struct.unpack_from("=HH", text, at)
        yield kind & _TYPE, text[at + 4 : at + length]
        at += _padded(length)


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _question(datagram: Datagram) -> bytes:
    addresses = _attribute(1, socket.inet_aton(datagram.source))
    addresses += _attribute(2, socket.inet_aton(datagram.target))
    ports = _attribute(1, struct.pack("=B", socket.IPPROTO_UDP))
    ports += _attribute(2, struct.pack("!H", datagram.source_port))
    ports += _attribute(3, struct.pack("!H", datagram.target_port))
    both = _attribute(1 | _NESTED, addresses) + _attribute(2 | _NESTED, ports)
    body = _INET + _attribute(_ORIGINAL_TUPLE | _NESTED, both)
    return _message(_GET_ENTRY, _REQUEST, body)


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + padded


def _errno(number: int) -> int:
    return (1 << 32) - number
