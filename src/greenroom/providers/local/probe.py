"""Probes: real packets from where a machine sits to where another one listens.

A probe is sent from inside the source's network namespace, so it takes the same way as the
machine's own packets. The region rejects with ICMP what it does not allow; the kernel hands that
to the socket as EHOSTUNREACH, a listener's absence as ECONNREFUSED (icmp(7), ip(7)).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from greenroom.model.proof import Reach
from greenroom.model.stack import Protocol
from greenroom.providers.local import kernel
from greenroom.providers.local.network import is_namespace

_TCP_PATIENCE_S = 1.0
_UDP_PATIENCE_S = 0.15
_LISTEN = "0A"
_UNCONNECTED = "07"
_LOOPBACK_SIX = "00000000000000000000000001000000"
_AT_ONCE = 96
"""Sockets open at a time in one of eight threads, together below the usual limit of 1,024."""

_REACH_BY_ERRNO = {
    0: Reach.OPEN,
    errno.ECONNREFUSED: Reach.REFUSED,
    errno.EHOSTUNREACH: Reach.FILTERED,
    errno.ENETUNREACH: Reach.FILTERED,
    errno.EACCES: Reach.FILTERED,
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a probe goes."""

    address: str
    protocol: Protocol
    port: int


def probe_all(
    wanted: Sequence[tuple[Path | None, Sequence[Target]]],
) -> list[list[Reach] | None]:
    """Probe from each network namespace (None: the host's own); answers in the order given.

    The answer is None where the namespace is gone: its environment was destroyed meanwhile.
    """

    def one(entry: tuple[Path | None, Sequence[Target]]) -> list[Reach] | None:
        namespace, targets = entry
        if namespace is None:
            return _probe(targets)
        if not is_namespace(namespace):
            return None
        try:
            return kernel.in_network(namespace, lambda: _probe(targets))
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(one, wanted))


def listening_ports(pid: int) -> frozenset[tuple[Protocol, int]]:
    """The ports on which anything in the process's network namespace can be reached.

    Read from /proc/PID/net (proc(5)); sockets bound to loopback are left out.
    """
    found: set[tuple[Protocol, int]] = set()
    kinds = ((Protocol.TCP, _LISTEN), (Protocol.UDP, _UNCONNECTED))
    for protocol, state in kinds:
        for suffix in ("", "6"):
            try:
                table = Path(f"/proc/{pid}/net/{protocol}{suffix}").read_text()
            except OSError:
                # The process ended, or the kernel has no IPv6: nothing listens there.
                continue
            found.update((protocol, port) for port in _ports(table.splitlines()[1:], state))
    return frozenset(found)


def _ports(table: Iterable[str], state: str) -> Iterable[int]:
    for line in table:
        columns = line.split()
        address, _, port = columns[1].partition(":")
        # Words in host byte order: 127.x.x.x ends in 7F.
        loopback = address == _LOOPBACK_SIX or (len(address) == 8 and address.endswith("7F"))
        if columns[3] == state and not loopback:
            yield int(port, 16)


def _probe(targets: Sequence[Target]) -> list[Reach]:
    answers: list[Reach] = []
    for first in range(0, len(targets), _AT_ONCE):
        answers += _probe_batch(targets[first : first + _AT_ONCE])
    return answers


def _probe_batch(targets: Sequence[Target]) -> list[Reach]:
    answers: dict[int, Reach] = {}
    poller = select.poll()
    waiting: dict[int, tuple[int, socket.socket, Protocol]] = {}
    for number, target in enumerate(targets):
        probe, immediate = _send(target)
        if immediate is not None:
            answers[number] = immediate
            probe.close()
            continue
        interest = select.POLLOUT if target.protocol is Protocol.TCP else select.POLLIN
        poller.register(probe, interest)
        waiting[probe.fileno()] = (number, probe, target.protocol)
    started = time.monotonic()
    while waiting:
        left = _patience(waiting.values()) - (time.monotonic() - started)
        if left <= 0:
            break
        for descriptor, _ in poller.poll(left * 1000):
            number, probe, protocol = waiting.pop(descriptor)
            answers[number] = _read_answer(probe, protocol)
            poller.unregister(descriptor)
            probe.close()
    for number, probe, _ in waiting.values():
        answers[number] = Reach.SILENT
        probe.close()
    return [answers[number] for number in range(len(targets))]


def _patience(waiting: Iterable[tuple[int, socket.socket, Protocol]]) -> float:
    tcp = any(protocol is Protocol.TCP for _, _, protocol in waiting)
    return _TCP_PATIENCE_S if tcp else _UDP_PATIENCE_S


def _send(target: Target) -> tuple[socket.socket, Reach | None]:
    """Start a probe; an answer may be there at once."""
    tcp = target.protocol is Protocol.TCP
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    probe.setblocking(False)
    code = probe.connect_ex((target.address, target.port))
    if not tcp and code == 0:
        code = probe.send(b"")
    if code in (errno.EINPROGRESS, 0) and not (tcp and code == 0):
        return probe, None
    return probe, _reach(code)


def _read_answer(probe: socket.socket, protocol: Protocol) -> Reach:
    code = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if protocol is Protocol.UDP and code == 0:
        return Reach.OPEN
    return _reach(code)


def _reach(code: int) -> Reach:
    if code not in _REACH_BY_ERRNO:
        raise OSError(code, os.strerror(code))
    return _REACH_BY_ERRNO[code]
