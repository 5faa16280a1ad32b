"""Changing links, addresses and routes: messages to the kernel, many in one system call.

The library that speaks all of netlink takes 11 ms for a machine's link, most of it in Python; the
kernel's own part is half a millisecond (docs/adr/0021-network-in-one-go.md). The few messages that
a region needs are therefore packed here. Source: rtnetlink(7), linux/if_link.h, linux/veth.h,
linux/neighbour.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _NEWROUTE, _SETNEIGHTBL = 20, 24, 67
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_CREATE = 0x200 | 0x400
"""NLM_F_EXCL and NLM_F_CREATE: what is there already is an error."""
_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_UP = 0x1

_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_IFALIAS = 3, 18, 20
_IFLA_GROUP, _IFLA_NET_NS_FD, _IFLA_EXT_MASK = 27, 28, 29
_SKIP_STATISTICS = 1 << 3
_MAIN_TABLE, _PROTO_STATIC, _SCOPE_UNIVERSE, _SCOPE_LINK, _UNICAST = 254, 4, 0, 253, 1
_ANSWER_BYTES = 1 << 18
_TIMEOUT_S = 20.0
_SOL_NETLINK, _CAP_ACK = 270, 10

ANYWHERE = "0.0.0.0/0"
LOOPBACK = 1
"""The kernel makes it first in every namespace."""


@dataclass(frozen=True, slots=True)
class Message:
    """One request. ``subject`` names it in an error; errors in ``accepted`` are none."""

    kind: int
    flags: int
    body: bytes
    subject: str
    accepted: tuple[int, ...] = ()


class Netlink(socket.socket):
    """A socket that speaks to the namespace in which it was opened, from whatever thread."""

    def __init__(self) -> None:
        super().__init__(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self.settimeout(_TIMEOUT_S)
        # An error's answer need not repeat the request.
        self.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)

    def ask(self, *messages: Message) -> None:
        """All messages in one go, and in their order. Raises OSError for the first that fails;
        the kernel goes on with the others all the same."""
        packed = bytearray()
        for number, message in enumerate(messages):
            length = _HEADER.size + len(message.body)
            flags = _REQUEST | _ACK | message.flags
            packed += _HEADER.pack(length, message.kind, flags, number, 0) + message.body
        self.send(packed)
        failed: OSError | None = None
        answers = ((n, body) for kind, n, body in self._answers() if kind == _ERROR)
        for number, body in islice(answers, len(messages)):
            code = -struct.unpack_from("=i", body)[0]
            message = messages[number]
            if code and code not in message.accepted and failed is None:
                failed = OSError(code, os.strerror(code), message.subject)
        if failed is not None:
            raise failed

    def aliases(self) -> dict[str, str]:
        """Every link's name, and its alias or an empty text."""
        body = _LINK.pack(0, 0, 0, 0, 0) + _attribute(_IFLA_EXT_MASK, _SKIP_STATISTICS)
        self.send(_HEADER.pack(_HEADER.size + len(body), _GETLINK, _REQUEST | _DUMP, 0, 0) + body)
        found: dict[str, str] = {}
        for kind, _, answer in self._answers():
            if kind == _DONE:
                break
            if kind == _ERROR:
                code = -struct.unpack_from("=i", answer)[0]
                raise OSError(code, os.strerror(code), "list of links")
            attributes = dict(_read_attributes(answer[_LINK.size :]))
            found[_text(attributes[_IFLA_IFNAME])] = _text(attributes.get(_IFLA_IFALIAS, b""))
        return found

    def _answers(self) -> Iterator[tuple[int, int, bytes]]:
        """Kind, number and body of what the kernel answers."""
        while True:
            data = self.recv(_ANSWER_BYTES)
            offset = 0
            while offset < len(data):
                length, kind, _, number, _ = _HEADER.unpack_from(data, offset)
                yield kind, number, data[offset + _HEADER.size : offset + length]
                offset += _aligned(length)


def add_veth(
    name: str,
    *,
    peer: str,
    namespace_fd: int,
    index: int = 0,
    peer_index: int = 0,
    group: int = 0,
) -> Message:
    """A link whose peer is in another namespace; both are down. Whoever chooses the indexes (0
    leaves them to the kernel) need not ask for them before the next message."""
    other = _link(
        peer_index, _attribute(_IFLA_IFNAME, peer), _attribute(_IFLA_NET_NS_FD, namespace_fd)
    )
    info = _attribute(1, "veth") + _attribute(2 | _NESTED, _attribute(1 | _NESTED, other))
    body = _link(
        index,
        _attribute(_IFLA_IFNAME, name),
        _attribute(_IFLA_GROUP, group),
        _attribute(_IFLA_LINKINFO | _NESTED, info),
    )
    return Message(_NEWLINK, _CREATE, body, f"link {name}")


def set_up(index: int) -> Message:
    """Bring a link up."""
    return Message(_NEWLINK, 0, _LINK.pack(0, 0, index, _UP, _UP), f"link {index}")


def begin_to_use(index: int) -> Message:
    """Let a link carry packets as soon as its other end is up.

    Else the kernel drops them until a worker of its own has seen the change, which may take until
    others' changes are done. To look at a link is to wait for that (rtnl_getlink, Linux 6.8).
    """
    body = _link(index, _attribute(_IFLA_EXT_MASK, _SKIP_STATISTICS))
    return Message(_GETLINK, 0, body, f"link {index}")


def set_alias(index: int, alias: str) -> Message:
    """Give a link its alias."""
    return Message(_NEWLINK, 0, _link(index, _attribute(_IFLA_IFALIAS, alias)), f"alias {alias}")


def answer_at_once(index: int) -> Message:
    """No delay before a link answers ARP for others (docs/adr/0012-proxy-delay.md)."""
    delay = _attribute(1, index) + _attribute(13, struct.pack("=Q", 0))
    body = struct.pack("=Bxxx", socket.AF_INET) + _attribute(1, "arp_cache")
    return Message(
        _SETNEIGHTBL, 0, body + _attribute(6 | _NESTED, delay), f"proxy_delay of link {index}"
    )


def add_address(index: int, address: str, prefix_length: int = 32) -> Message:
    """Give a link an address."""
    raw = socket.inet_aton(address)
    body = _ADDRESS.pack(socket.AF_INET, prefix_length, 0, 0, index)
    return Message(
        _NEWADDR, _CREATE, body + _attribute(2, raw) + _attribute(1, raw), f"address {address}"
    )


def add_route(network: str, index: int, gateway: str | None = None) -> Message:
    """A route over a link: to a neighbour of ours, or to what is behind one."""
    address, _, length = network.partition("/")
    scope = _SCOPE_LINK if gateway is None else _SCOPE_UNIVERSE
    body = _ROUTE.pack(
        socket.AF_INET, int(length), 0, 0, _MAIN_TABLE, _PROTO_STATIC, scope, _UNICAST, 0
    )
    if network != ANYWHERE:
        body += _attribute(1, socket.inet_aton(address))
    if gateway is not None:
        body += _attribute(5, socket.inet_aton(gateway))
    return Message(_NEWROUTE, _CREATE, body + _attribute(4, index), f"route to {network}")


def delete_link(name: str) -> Message:
    """Remove a link by its name; that there is none is no error."""
    body = _link(0, _attribute(_IFLA_IFNAME, name))
    return Message(_DELLINK, 0, body, f"link {name}", accepted=(errno.ENODEV,))


def delete_group(group: int) -> Message:
    """Remove all links of a group; that there is none is no error."""
    body = _link(0, _attribute(_IFLA_GROUP, group))
    return Message(_DELLINK, 0, body, f"links of group {group}", accepted=(errno.ENODEV,))


def _link(index: int, *attributes: bytes) -> bytes:
    return _LINK.pack(0, 0, index, 0, 0) + b"".join(attributes)


def _attribute(kind: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        value = struct.pack("=I", value)
    elif isinstance(value, str):
        value = value.encode() + b"\0"
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _read_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        yield kind & ~_NESTED, data[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(max(length, _ATTRIBUTE.size))


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")
