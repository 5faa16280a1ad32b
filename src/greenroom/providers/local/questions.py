"""What a proof asks: from which place to which, on which ports. Pure.

Asked is every pair of machines of the environment, outside and each machine, each machine and
the region's services, the host, and an address beyond it; and machines of other environments,
both ways. The ports are those that are declared, those that anything listens on, and a sample of
the others. What is a sample is chosen by hashes of names, so the same environment is asked the
same again, and nobody can tell beforehand which names make an open port go unseen.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from greenroom.model.flows import declared_ports, declares, promises
from greenroom.model.proof import Chosen
from greenroom.model.stack import Machine, Protocol, Stack
from greenroom.providers.local.layout import DNS_ADDRESS, METADATA_ADDRESS, SERVICE_ADDRESS

Port = tuple[Protocol, int]
TCP, UDP = Protocol.TCP, Protocol.UDP

BEYOND_ADDRESS = "192.0.2.1"
"""Stands for the rest of the world: kept for documentation, so it is nobody's (RFC 5737)."""
_SSH: Port = (TCP, 22)
_HIGHEST = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is asked: sampled ports per target and protocol, and pairs of machines of
    different environments; ``listening`` asks for what other environments listen on, too.

    ``heard_own`` and ``heard_foreign`` bound how many listeners of one machine are asked for
    beside its declared ports: a machine may listen on all that there are."""

    sample_tcp: int
    sample_udp: int
    pairs_between: int
    listening: bool
    heard_own: int = 128
    heard_foreign: int = 32


QUICK = Depth(sample_tcp=3, sample_udp=1, pairs_between=48, listening=False)
"""For a create, which somebody waits for, however many environments there are."""
THOROUGH = Depth(sample_tcp=16, sample_udp=8, pairs_between=4000, listening=True, heard_own=512)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """Where packets come from or go to. ``stack`` and ``machine`` are None for what is no
    machine; ``services`` is then what is open there. ``namespace`` None is the host's own."""

    label: str
    address: str
    namespace: Path | None = None
    stack: Stack | None = None
    machine: Machine | None = None
    services: frozenset[Port] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One probe: the places, the port and why it, what is declared, whether somebody is promised
    to listen there, and whether a UDP socket is known to be bound."""

    source: Place
    target: Place
    protocol: Protocol
    port: int
    chosen: Chosen
    declared: bool
    promised: bool
    bound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The places of a region around one environment's machines, and the ports that the host is
    asked for by name."""

    outside: Place
    services: Sequence[Place]
    region: Place
    host: Place
    beyond: Place
    host_ports: frozenset[Port]


def surroundings(
    host_address: str, region_address: str, host_ports: Iterable[Port]
) -> Surroundings:
    """The places that every region has."""
    dns = frozenset({(TCP, 53), (UDP, 53)})
    web = frozenset({(TCP, 80)})
    return Surroundings(
        outside=Place(label="outside", address=host_address),
        services=(
            Place(label="metadata", address=METADATA_ADDRESS, services=web),
            Place(label="buckets", address=SERVICE_ADDRESS, services=web),
            Place(label="dns", address=DNS_ADDRESS, services=dns),
        ),
        region=Place(label="region", address=region_address),
        host=Place(label="host", address=host_address),
        beyond=Place(label="beyond", address=BEYOND_ADDRESS),
        host_ports=frozenset(host_ports),
    )


Listening = Callable[[Place], frozenset[Port]]


def ask_inside(
    own: Sequence[Place], around: Surroundings, listening: Listening, depth: Depth
) -> Iterator[Question]:
    """The environment's machines among each other and with what surrounds them."""
    for target in own:
        heard = listening(target)
        ports = _ports_of(target, heard, depth)
        for source in (*own, around.outside):
            if source is not target:
                for port, chosen in ports.items():
                    yield _question(source, target, port, chosen, heard, own_promise=True)
    for target in (*around.services, around.region):
        ports = _ports_of_service(target, around, depth)
        for source in own:
            for port, chosen in ports.items():
                yield _question(source, target, port, chosen, frozenset(), own_promise=True)
    for target, named in ((around.host, around.host_ports | {_SSH}), (around.beyond, {(TCP, 443)})):
        ports = dict.fromkeys(sorted(named), Chosen.LISTENING)
        _add_sample(ports, target.label, 1, 1)
        for source in own:
            for port, chosen in ports.items():
                yield _question(source, target, port, chosen, frozenset(), own_promise=False)
    for port in ((TCP, 80), (TCP, 53), (UDP, 53)):
        sample = Chosen.SAMPLE
        yield _question(around.outside, around.region, port, sample, frozenset(), own_promise=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """What is asked between environments, and of how many pairs of machines that there are."""

    questions: tuple[Question, ...]
    asked: int
    pairs: int


def ask_between(
    own: Sequence[Place], foreign: Sequence[Sequence[Place]], listening: Listening, depth: Depth
) -> Between:
    """The environment's machines and those of each other environment, both ways.

    Where there are more pairs than ``depth`` allows, each environment has its share, the
    declared flows first, then those whose names have the lowest hash.
    """
    chosen: list[tuple[Place, Place]] = []
    pairs = 0
    share = max(2, depth.pairs_between // max(1, len(foreign)))
    for others in foreign:
        found = [pair for a in own for b in others for pair in ((a, b), (b, a))]
        pairs += len(found)
        if len(found) > share:
            found = sorted(found, key=_rank)[:share]
        chosen += found
    owners = {id(place) for place in own}
    heard: dict[int, frozenset[Port]] = {}
    ports: dict[int, dict[Port, Chosen]] = {}
    questions = []
    for source, target in chosen:
        key = id(target)
        if key not in ports:
            heard[key] = listening(target)
            ports[key] = _ports_between(target, heard[key], depth, own=key in owners)
        # That somebody listens there is the other environment's promise, its own proof's affair.
        questions += [
            _question(source, target, port, why, heard[key], own_promise=key in owners)
            for port, why in ports[key].items()
        ]
    return Between(questions=tuple(questions), asked=len(chosen), pairs=pairs)


def sampled_ports(name: str, count: int) -> tuple[int, ...]:
    """The first ``count`` of the ports that ``name`` hashes to, from 1 to 65535."""
    digests = (hashlib.sha256(f"{name}/{n}".encode()).digest() for n in range(count))
    return tuple(1 + int.from_bytes(digest[:4], "big") % _HIGHEST for digest in digests)


def heard_limit(depth: Depth, *, own: bool) -> int:
    """How many of a machine's listeners are asked for, beside its declared ports."""
    return depth.heard_own if own else depth.heard_foreign


def undeclared(target: Place, heard: frozenset[Port]) -> frozenset[Port]:
    """The ports among these that no rule of the target names."""
    return heard - declared_ports(*_machine_of(target))


def _asked_of_heard(target: Place, heard: frozenset[Port], limit: int) -> Sequence[Port]:
    """The undeclared listeners that are asked for: those of the lowest hash, if there are more."""
    others = undeclared(target, heard)
    if len(others) <= limit:
        return sorted(others)
    name = _name_of(target)

    def rank(port: Port) -> bytes:
        return hashlib.sha256(f"{name}/{port[0]}/{port[1]}".encode()).digest()

    return sorted(heapq.nsmallest(limit, others, key=rank))


def _name_of(target: Place) -> str:
    stack, machine = _machine_of(target)
    return f"{stack.environment}/{machine.name}"


def _ports_of(target: Place, heard: frozenset[Port], depth: Depth) -> dict[Port, Chosen]:
    """Declared, listened on, and others: beside a declared one, the same number of the other
    protocol, ssh, and the sample."""
    assert target.stack is not None and target.machine is not None
    declared = sorted(declared_ports(target.stack, target.machine))
    ports = dict.fromkeys(declared, Chosen.DECLARED)
    for port in _asked_of_heard(target, heard, heard_limit(depth, own=True)):
        ports.setdefault(port, Chosen.LISTENING)
    for protocol, number in declared:
        other = UDP if protocol is TCP else TCP
        for port in ((protocol, number - 1), (protocol, number + 1), (other, number)):
            if 1 <= port[1] <= _HIGHEST:
                ports.setdefault(port, Chosen.SAMPLE)
    ports.setdefault(_SSH, Chosen.SAMPLE)
    _add_sample(ports, _name_of(target), depth.sample_tcp, depth.sample_udp)
    return ports


def _ports_between(
    target: Place, heard: frozenset[Port], depth: Depth, *, own: bool
) -> dict[Port, Chosen]:
    ports = dict.fromkeys(sorted(declared_ports(*_machine_of(target))), Chosen.DECLARED)
    for port in _asked_of_heard(target, heard, heard_limit(depth, own=own)):
        ports.setdefault(port, Chosen.LISTENING)
    if depth.listening or not ports:
        _add_sample(ports, _name_of(target), 1, 0)
    return ports


def _ports_of_service(target: Place, around: Surroundings, depth: Depth) -> dict[Port, Chosen]:
    ports = dict.fromkeys(sorted(target.services), Chosen.DECLARED)
    if depth.listening:
        for service in around.services:
            for port in sorted(service.services):
                ports.setdefault(port, Chosen.LISTENING)
        ports.setdefault(_SSH, Chosen.SAMPLE)
    elif not ports:
        ports[(TCP, 80)] = Chosen.LISTENING
    _add_sample(ports, target.label, 1, 1)
    return ports


def _add_sample(ports: dict[Port, Chosen], name: str, tcp: int, udp: int) -> None:
    for protocol, count in ((TCP, tcp), (UDP, udp)):
        for number in sampled_ports(f"{name}/{protocol}", count):
            ports.setdefault((protocol, number), Chosen.SAMPLE)


def _question(
    source: Place,
    target: Place,
    port: Port,
    chosen: Chosen,
    heard: frozenset[Port],
    *,
    own_promise: bool,
) -> Question:
    protocol, number = port
    promised = own_promise and (port in target.services or _promised(target, protocol, number))
    return Question(
        source=source,
        target=target,
        protocol=protocol,
        port=number,
        chosen=chosen,
        declared=_declared(source, target, protocol, number),
        promised=promised,
        bound=protocol is UDP and port in heard,
    )


def _declared(source: Place, target: Place, protocol: Protocol, port: int) -> bool:
    if target.stack is None or target.machine is None:
        return source.machine is not None and (protocol, port) in target.services
    if source.machine is None:
        address = IPv4Address(source.address)
        return declares(target.stack, address, target.machine, protocol, port)
    return declares(
        target.stack, source.machine, target.machine, protocol, port, origin=source.stack
    )


def _promised(target: Place, protocol: Protocol, port: int) -> bool:
    if target.stack is None or target.machine is None:
        return False
    return promises(target.stack, target.machine, protocol, port)


def _rank(pair: tuple[Place, Place]) -> tuple[bool, bytes]:
    source, target = pair
    declared = (is_shared(source) or is_shared(target)) and any(
        _declared(source, target, protocol, port)
        for protocol, port in declared_ports(*_machine_of(target))
    )
    return not declared, hashlib.sha256(f"{source.label}>{target.label}".encode()).digest()


def _machine_of(place: Place) -> tuple[Stack, Machine]:
    assert place.stack is not None and place.machine is not None
    return place.stack, place.machine


def is_shared(place: Place) -> bool:
    """Whether it is a machine that other environments may be allowed to reach."""
    return place.stack is not None and place.stack.shared
