"""Probes: real packets from where a machine sits to where another one listens.

A probe is sent from inside the source's network namespace, so it takes the same way as the
machine's own packets. The region rejects with ICMP what it does not allow; the kernel hands that
to the socket as EHOSTUNREACH, a listener's absence as ECONNREFUSED (icmp(7), ip(7)).

A UDP listener is often silent, and so is a packet that was lost. What tells them apart is the
region's connection tracking: it confirms an entry only for a packet that has passed every chain.
So a silent UDP port is *open* if the region forwarded the probe and a socket is bound there;
else it is *silent*, which proves nothing.

One thread sends all probes, moving from namespace to namespace, and then waits once for all.
"""

from __future__ import annotations

import errno
import os
import random
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from greenroom.model.proof import Reach
from greenroom.model.stack import Protocol
from greenroom.providers.local import kernel
from greenroom.providers.local.conntrack import Datagram, forwarded
from greenroom.providers.local.network import is_namespace

_TCP_PATIENCE_S = 1.0
_UDP_PATIENCE_S = 0.15
_UDP_LOOK_S = 0.005
_AT_ONCE = 512
"""Sockets open at a time, below the usual limit of 1,024."""
_IP_RECVERR = 11
_FROM_ICMP = 2
_PORT_UNREACHABLE = 3
_DATAGRAM_TRIES = 3
_SPARE_PORTS = range(1024, 32768)
"""Below the ports that the kernel gives out by itself (ip_local_port_range of ip(7))."""
_SPARE_TRIES = 16

_REACH_BY_ERRNO = {
    0: Reach.OPEN,
    errno.ECONNREFUSED: Reach.REFUSED,
    errno.EHOSTUNREACH: Reach.FILTERED,
    errno.ENETUNREACH: Reach.FILTERED,
    errno.EACCES: Reach.FILTERED,
    # It took the connection, and dropped it before we looked.
    errno.ECONNRESET: Reach.OPEN,
    errno.EPIPE: Reach.OPEN,
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a probe goes. ``bound``: a UDP socket is known to take what comes there.
    ``payload`` is what a datagram carries."""

    address: str
    protocol: Protocol
    port: int
    bound: bool = False
    payload: bytes = b""


@dataclass(slots=True)
class Batch:
    """What is asked from one namespace (None: the host's own), whose own address is ``source``.

    ``answers`` is filled in the order of ``targets``; it stays None if the namespace is gone,
    since its environment was destroyed meanwhile. ``look`` is called inside it as well, and its
    result kept in ``seen``.

    ``faults`` are the errors that say nothing of the target: these probes count as silent. The
    namespace belongs to a machine whose root may have used up its ports or spoiled its routes;
    that may blind the proof there, but not end it.
    """

    namespace: Path | None
    source: str
    targets: Sequence[Target]
    look: Callable[[], object] | None = None
    answers: list[Reach] | None = None
    seen: object = None
    faults: set[int] = field(default_factory=set)
    crowded: bool = False

    def take(self, number: int, code: int) -> None:
        """Keep what the error number of a probe means."""
        assert self.answers is not None
        if code not in _REACH_BY_ERRNO:
            self.faults.add(code)
        self.answers[number] = _REACH_BY_ERRNO.get(code, Reach.SILENT)


def probe_all(batches: Sequence[Batch], region: Path) -> None:
    """Send every batch's probes and fill in the answers. ``region`` is the routing namespace."""
    kernel.in_own_thread(lambda: _probe_all(batches, region))


def _probe_all(batches: Sequence[Batch], region: Path) -> None:
    with ExitStack() as files:
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        files.callback(os.close, home)
        group: list[Batch] = []
        for batch in batches:
            if group and sum(len(b.targets) for b in (*group, batch)) > _AT_ONCE:
                _probe_group(group, home, region)
                group = []
            group.append(batch)
        _probe_group(group, home, region)


def _probe_group(group: Sequence[Batch], home: int, region: Path) -> None:
    waiting = _Waiting()
    with waiting.sockets:
        for batch in group:
            if not _enter(batch.namespace, home):
                continue
            batch.answers = [Reach.SILENT] * len(batch.targets)
            if batch.look is not None:
                batch.seen = batch.look()
            for first in range(0, len(batch.targets), _AT_ONCE):
                if first:
                    # More than fits: these are asked now, and in peace.
                    waiting.gather(_TCP_PATIENCE_S)
                _send(batch, range(first, min(first + _AT_ONCE, len(batch.targets))), waiting)
        _gather(waiting, region)


def _enter(namespace: Path | None, home: int) -> bool:
    if namespace is None:
        kernel.enter_network_of(home)
        return True
    try:
        if not is_namespace(namespace):
            return False
        kernel.enter_network(namespace)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False  # The file is there, but nothing is mounted on it any more.
        raise
    return True


@dataclass(slots=True)
class _Datagrams:
    """One socket for all UDP probes of a namespace, and which of them are unanswered, by
    address and port."""

    socket: socket.socket
    batch: Batch
    open: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def port(self) -> int:
        """The source port of its probes."""
        return int(self.socket.getsockname()[1])


@dataclass(slots=True)
class _Waiting:
    """Probes on their way."""

    sockets: ExitStack = field(default_factory=ExitStack)
    poller: select.poll = field(default_factory=select.poll)
    connects: dict[int, tuple[Batch, int, socket.socket]] = field(default_factory=dict)
    datagrams: dict[int, _Datagrams] = field(default_factory=dict)

    def unanswered(self) -> Iterator[tuple[_Datagrams, Target, int]]:
        """The UDP probes without an answer."""
        for sent in self.datagrams.values():
            for number in sent.open.values():
                yield sent, sent.batch.targets[number], number

    def gather(self, patience_s: float, *, datagrams: bool = False) -> None:
        """Take the answers that are there, and wait until all have come or the patience ends."""
        end = time.monotonic() + patience_s
        while self.connects or (datagrams and any(True for _ in self.unanswered())):
            left_s = max(0.0, end - time.monotonic())
            for descriptor, _ in self.poller.poll(left_s * 1000):
                if descriptor in self.connects:
                    self._take_connect(descriptor)
                else:
                    _take_datagrams(self.datagrams[descriptor])
            if not left_s:
                return

    def _take_connect(self, descriptor: int) -> None:
        batch, number, probe = self.connects.pop(descriptor)
        self.poller.unregister(descriptor)
        batch.take(number, probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        probe.close()


def _gather(waiting: _Waiting, region: Path) -> None:
    waiting.gather(_TCP_PATIENCE_S)
    began_s = time.monotonic()
    patience_s = 0.0
    while True:
        waiting.gather(patience_s, datagrams=True)
        unanswered = list(waiting.unanswered())
        if not unanswered or time.monotonic() - began_s > _patience_s(unanswered):
            return
        if any(target.bound for _, target, _ in unanswered):
            _take_forwarded(unanswered, region)
        patience_s = _UDP_LOOK_S


def _patience_s(unanswered: Sequence[tuple[_Datagrams, Target, int]]) -> float:
    """How long to wait for these, from the last TCP answer on. A question is answered by a
    program, which is late on a busy host; where nobody may ask, ICMP says so at once."""
    return (
        _TCP_PATIENCE_S if any(target.payload for _, target, _ in unanswered) else _UDP_PATIENCE_S
    )


def _take_forwarded(unanswered: Sequence[tuple[_Datagrams, Target, int]], region: Path) -> None:
    """Of the silent ones, those are open that the region let pass to a bound socket."""
    asked = {
        Datagram(sent.batch.source, sent.port, target.address, target.port): (sent, number)
        for sent, target, number in unanswered
        if target.bound
    }
    kernel.enter_network(region)
    for passed in forwarded(asked):
        sent, number = asked[passed]
        assert sent.batch.answers is not None
        sent.batch.answers[number] = Reach.OPEN
        del sent.open[passed.target, passed.target_port]


def _send(batch: Batch, numbers: range, waiting: _Waiting) -> None:
    """Start a namespace's probes; an answer may be there at once."""
    sent: _Datagrams | None = None
    for number in numbers:
        target = batch.targets[number]
        if target.protocol is Protocol.UDP:
            if sent is None:
                sent = _Datagrams(waiting.sockets.enter_context(_datagram_socket()), batch)
                waiting.datagrams[sent.socket.fileno()] = sent
                waiting.poller.register(sent.socket, select.POLLIN)
            _send_datagram(sent, target, number)
        else:
            _connect(batch, target, number, waiting)


def _connect(batch: Batch, target: Target, number: int, waiting: _Waiting) -> None:
    place = (target.address, target.port)
    probe = _stream_socket()
    code = errno.EADDRNOTAVAIL if batch.crowded else probe.connect_ex(place)
    if code == errno.EADDRNOTAVAIL:
        # The kernel walked all its ports before it gave up: that is not asked for again.
        batch.crowded = True
        probe.close()
        probe, code = _connect_from_spare_port(place)
    if code == errno.EINPROGRESS:
        waiting.sockets.callback(probe.close)
        waiting.poller.register(probe, select.POLLOUT)
        waiting.connects[probe.fileno()] = (batch, number, probe)
        return
    probe.close()
    batch.take(number, code)


def _stream_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


def _connect_from_spare_port(place: tuple[str, int]) -> tuple[socket.socket, int]:
    """Connect although a machine has bound all ports that the kernel would choose from."""
    probe, code = _stream_socket(), errno.EADDRNOTAVAIL
    for port in random.sample(_SPARE_PORTS, _SPARE_TRIES):
        if not _bind(probe, port):
            continue
        code = probe.connect_ex(place)
        if code != errno.EADDRNOTAVAIL:
            break
        probe.close()
        probe = _stream_socket()
    return probe, code


def _bind(probe: socket.socket, port: int) -> bool:
    try:
        probe.bind(("", port))
    except OSError:
        return False
    return True


def _datagram_socket() -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    probe.setsockopt(socket.SOL_IP, _IP_RECVERR, 1)
    # 0: any that the kernel would choose.
    any(_bind(probe, port) for port in (0, *random.sample(_SPARE_PORTS, _SPARE_TRIES)))
    return probe


def _send_datagram(sent: _Datagrams, target: Target, number: int) -> None:
    place = (target.address, target.port)
    sent.open[place] = number
    code = 0
    for _ in range(_DATAGRAM_TRIES):
        try:
            sent.socket.sendto(target.payload, place)
        except OSError as error:
            # The answer to one that was sent before, reported here; it is in the queue too.
            _take_datagrams(sent)
            code = error.errno or 0
            continue
        return
    if code not in _REACH_BY_ERRNO:
        sent.batch.faults.add(code)


def _take_datagrams(sent: _Datagrams) -> None:
    """Read what has come: answers, and ICMP errors with the probe that each is about."""
    assert sent.batch.answers is not None
    while True:
        try:
            _, controls, _, place = sent.socket.recvmsg(64, 512, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            break
        number = sent.open.pop(place[:2], None)
        code = _code_of_error(place[0], controls)
        if number is not None and code:
            sent.batch.take(number, code)
    while True:
        try:
            _, place = sent.socket.recvfrom(64)
        except BlockingIOError:
            return
        except OSError:
            continue  # An error that the queue has told already.
        number = sent.open.pop(place[:2], None)
        if number is not None:
            sent.batch.answers[number] = Reach.OPEN


def _code_of_error(target: str, controls: Sequence[tuple[int, int, bytes]]) -> int:
    """The error number of a sock_extended_err (ip(7), IP_RECVERR), by who refused, and how."""
    for level, kind, data in controls:
        if level == socket.SOL_IP and kind == _IP_RECVERR:
            number, origin, icmp_type, code = struct.unpack_from("=IBBB", data)
            offender = socket.inet_ntoa(data[20:24])
            if origin == _FROM_ICMP and icmp_type == 3 and code == _PORT_UNREACHABLE:
                return errno.ECONNREFUSED if offender == target else errno.EHOSTUNREACH
            return int(number)
    return 0
