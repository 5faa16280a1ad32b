"""What the kernel holds of a network namespace, by netlink, in about a millisecond.

A library that speaks all of netlink takes 20 ms to list four namespaces, since it decodes
everything; an audit needs a few fields and runs inside each create. So these are decoded here
(netlink(7), rtnetlink(7), linux/if_link.h, linux/netfilter/nf_tables.h); ``rtnetlink`` is what
changes things. All of it speaks of the calling thread's namespace.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RTM_GETLINK, _RTM_GETADDR, _RTM_GETROUTE, _RTM_GETNEIGH = 18, 22, 26, 30
_RTM_GETRULE, _RTM_GETQDISC = 34, 38
_NFT_GETTABLE = 10 << 8 | 1
_DUMP_REQUEST = 0x1 | 0x300
_DONE, _ERROR = 3, 2
_INTERRUPTED = 0x10
_TRIES = 5
_TYPE_MASK = 0x3FFF
_SKIP_STATISTICS = 1 << 3
_BUFFER_BYTES = 1 << 18
_NETFILTER = 12
_PROXY, _PERMANENT = 0x08, 0x80
_CLONED = 0x200
_UP = 0x1

_V4_SETTINGS = {
    "forwarding": 1,
    "proxy_arp": 3,
    "rp_filter": 8,
    "accept_local": 23,
    "route_localnet": 26,
}
"""Position in IFLA_INET_CONF, which counts from one (linux/ip.h, IPV4_DEVCONF_*)."""
_DISABLE_IPV6 = 26
"""Position in IFLA_INET6_CONF (linux/ipv6.h, DEVCONF_DISABLE_IPV6)."""
_ROUTE_KINDS = {
    **{1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast"},
    **{6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw", 10: "nat"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface; ``settings`` are its sysctls by name, ``alias`` is ours."""

    index: int
    name: str
    up: bool
    alias: str
    xdp: bool
    settings: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """One namespace. Links are named, not numbered. ``addresses`` are ``(link, CIDR)``,
    ``routes`` ``(table, kind, destination, gateway, link)``, ``rules`` ``(preference, table,
    plain)``, ``neighbours`` those that somebody has set (``(link, address, kind)``), ``queues``
    ``(link, queueing discipline)``, ``tables`` those of nftables and of the older iptables."""

    links: tuple[Link, ...]
    addresses: frozenset[tuple[str, str]]
    routes: frozenset[tuple[int, str, str, str, str]]
    rules: frozenset[tuple[int, int, bool]]
    neighbours: frozenset[tuple[str, str, str]]
    queues: frozenset[tuple[str, str]]
    tables: frozenset[str]


def read_network() -> NetworkState:
    """The calling thread's network namespace. Raises OSError."""
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as route,
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as netfilter,
    ):
        route.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        links = tuple(_links(route))
        names = {link.index: link.name for link in links}
        return NetworkState(
            links=links,
            addresses=frozenset(_addresses(route, names)),
            routes=frozenset(_routes(route, names)),
            rules=frozenset(_rules(route)),
            neighbours=frozenset(_neighbours(route, names)),
            queues=frozenset(_queues(route, names)),
            tables=frozenset((*_tables(netfilter), *_old_tables())),
        )


def _links(route: socket.socket) -> Iterator[Link]:
    mask = struct.pack("=HHI", 8, 29, _SKIP_STATISTICS)
    for body in _dump(route, _RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + mask):
        _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
        found = _attributes(body, 16)
        xdp = _attributes(found.get(43, b""), 0)
        yield Link(
            index=index,
            name=_text(found[3]),
            up=bool(flags & _UP),
            alias=_text(found.get(20, b"")),
            xdp=any(xdp.get(2, b"")),
            settings=_settings_of(_attributes(found.get(26, b""), 0)),
        )


def _settings_of(families: dict[int, bytes]) -> tuple[tuple[str, int], ...]:
    four = _attributes(families.get(socket.AF_INET, b""), 0).get(1, b"")
    six = _attributes(families.get(socket.AF_INET6, b""), 0).get(2, b"")
    return _settings(four, six)


@lru_cache(maxsize=64)
def _settings(four: bytes, six: bytes) -> tuple[tuple[str, int], ...]:
    """Remembered: the links of a region have the same ones, byte for byte."""
    found = [
        (name, struct.unpack_from("=i", four, 4 * (position - 1))[0])
        for name, position in _V4_SETTINGS.items()
        if len(four) >= 4 * position
    ]
    if len(six) >= 4 * (_DISABLE_IPV6 + 1):
        found.append(("disable_ipv6", struct.unpack_from("=i", six, 4 * _DISABLE_IPV6)[0]))
    return tuple(found)


def _addresses(route: socket.socket, names: dict[int, str]) -> Iterator[tuple[str, str]]:
    for body in _dump(route, _RTM_GETADDR, struct.pack("=BBBBi", 0, 0, 0, 0, 0)):
        _, length, _, _, index = struct.unpack_from("=BBBBi", body)
        found = _attributes(body, 8)
        raw = found.get(2) or found[1]
        yield names.get(index, f"#{index}"), f"{_address(raw)}/{length}"


def _routes(
    route: socket.socket, names: dict[int, str]
) -> Iterator[tuple[int, str, str, str, str]]:
    for body in _dump(route, _RTM_GETROUTE, bytes(12)):
        family, length, _, _, table, _, _, kind, flags = struct.unpack_from("=BBBBBBBBI", body)
        if flags & _CLONED:
            continue
        found = _attributes(body, 12)
        if 15 in found:
            table = struct.unpack("=I", found[15])[0]
        anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"
        target = f"{_address(found[1])}/{length}" if 1 in found else f"{anywhere}/{length}"
        gateway = _address(found[5]) if 5 in found else ""
        link = names.get(struct.unpack("=i", found[4])[0], "?") if 4 in found else ""
        yield table, _ROUTE_KINDS.get(kind, str(kind)), target, gateway, link


def _rules(route: socket.socket) -> Iterator[tuple[int, int, bool]]:
    """``plain`` is a rule for every packet, as the kernel makes them."""
    for body in _dump(route, _RTM_GETRULE, bytes(12)):
        family, to, source, tos, table, _, _, action, flags = struct.unpack_from("=BBBBBBBBI", body)
        if family not in (socket.AF_INET, socket.AF_INET6):
            continue  # Of multicast routing, which nobody has switched on.
        found = _attributes(body, 12)
        if 15 in found:
            table = struct.unpack("=I", found[15])[0]
        preference = struct.unpack("=I", found[6])[0] if 6 in found else 0
        # Beside its priority and table the kernel states a few defaults in each rule.
        plain = not (to or source or tos or flags & 0x2) and action == 1
        yield preference, table, plain and not found.keys() & {1, 2, 3, 4, 10, 16, 17, 22, 23, 24}


def _neighbours(route: socket.socket, names: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    for flags in (0, _PROXY):
        request = struct.pack("=BxxxiHBB", 0, 0, 0, flags, 0)
        for body in _dump(route, _RTM_GETNEIGH, request):
            family, index, state, its_flags, kind = struct.unpack_from("=BxxxiHBB", body)
            found = _attributes(body, 12)
            if family not in (socket.AF_INET, socket.AF_INET6) or 1 not in found:
                continue
            if kind not in (0, 1):
                continue  # Of broadcast, multicast and the namespace's own addresses.
            proxy = bool(its_flags & _PROXY)
            if proxy or state & _PERMANENT:
                link = names.get(index, f"#{index}")
                yield link, _address(found[1]), "proxy" if proxy else "permanent"


def _queues(route: socket.socket, names: dict[int, str]) -> Iterator[tuple[str, str]]:
    for body in _dump(route, _RTM_GETQDISC, bytes(20)):
        index = struct.unpack_from("=Bxxxi", body)[1]
        yield names.get(index, f"#{index}"), _text(_attributes(body, 20)[1])


def _tables(netfilter: socket.socket) -> Iterator[str]:
    families = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
    for body in _dump(netfilter, _NFT_GETTABLE, bytes(4)):
        yield f"{families.get(body[0], body[0])} {_text(_attributes(body, 4)[1])}"


def _old_tables() -> Iterator[str]:
    for program, name in (("iptables", "ip_tables_names"), ("ip6tables", "ip6_tables_names")):
        try:
            words = Path("/proc/thread-self/net", name).read_text().split()
        except OSError:
            continue  # The kernel was built without them, or has not loaded them.
        yield from (f"{program} {word}" for word in words)


def _dump(connection: socket.socket, kind: int, request: bytes) -> list[bytes]:
    """Every message of a listing. Asked again if it changed while it was read."""
    for _ in range(_TRIES):
        bodies, interrupted = _dump_once(connection, kind, request)
        if not interrupted:
            return bodies
    raise OSError(errno.EBUSY, "the kernel's network tables change all the time")


def _dump_once(connection: socket.socket, kind: int, request: bytes) -> tuple[list[bytes], bool]:
    header = _HEADER.pack(_HEADER.size + len(request), kind, _DUMP_REQUEST, 1, 0)
    connection.send(header + request)
    bodies: list[bytes] = []
    interrupted = False
    while True:
        data = connection.recv(_BUFFER_BYTES)
        offset = 0
        while offset < len(data):
            length, reply, flags, _, _ = _HEADER.unpack_from(data, offset)
            body = data[offset + _HEADER.size : offset + length]
            interrupted = interrupted or bool(flags & _INTERRUPTED)
            if reply == _DONE:
                return bodies, interrupted
            if reply == _ERROR:
                number = -struct.unpack_from("=i", body)[0]
                if number in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
                    return bodies, False
                raise OSError(number, f"netlink {kind}: {os.strerror(number)}")
            bodies.append(body)
            offset += (length + 3) & ~3


def _attributes(data: bytes, offset: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            break
        found[kind & _TYPE_MASK] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _address(raw: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace")
