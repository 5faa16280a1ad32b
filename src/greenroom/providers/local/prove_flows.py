"""The flows of an environment: questions are probed, answers are judged, and told in claims."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from greenroom.model.flows import judge
from greenroom.model.proof import Claim, Flow, Reach
from greenroom.model.stack import Protocol, Stack
from greenroom.providers.local.audit import (
    Seen,
    SeenMachine,
    SeenRegion,
    audit,
    look_at_machine,
    look_at_region,
)
from greenroom.providers.local.flow_claim import (
    Coverage,
    answered_pairs,
    flow_claim,
    samples_of_listeners,
)
from greenroom.providers.local.layout import DNS_ADDRESS, Layout
from greenroom.providers.local.listening import listening_here, listening_in
from greenroom.providers.local.network import host_link_addresses
from greenroom.providers.local.probe import Batch, Target, probe_all
from greenroom.providers.local.questions import (
    QUICK,
    THOROUGH,
    Between,
    Listening,
    Place,
    Port,
    Question,
    Surroundings,
    ask_between,
    ask_inside,
    is_shared,
    surroundings,
)

_DNS_QUESTION = bytes.fromhex("677201000001000000000000") + b"\x09greenroom\0\0\1\0\1"
"""A question for the address of `greenroom.` (RFC 1035, section 4.1): any answer will do."""

_TURNS: dict[str, threading.Lock] = {}
"""By environment. A person asks while the daemon proves anew what it has mended, and a probe is a
connection of its machine: beyond the four to names that a machine may have, an honest one would
be told to be refused what it is declared to reach."""


@dataclass(frozen=True, slots=True)
class FlowProof:
    """The probes, and what is claimed of flows, firewall and network."""

    flows: tuple[Flow, ...]
    claims: tuple[Claim, ...]


def prove_flows(
    layout: Layout,
    stack: Stack,
    others: Sequence[Stack],
    neighbours: Callable[[], Sequence[Stack]],
    *,
    thorough: bool,
) -> FlowProof:
    """Probe the flows of ``stack``, also against ``others``, and audit the region.

    ``neighbours`` are all other environments that have anything in the region just now. Two
    proofs of one environment take turns.
    """
    with _TURNS.setdefault(stack.environment.key, threading.Lock()):
        return _prove_flows(layout, stack, others, neighbours, thorough=thorough)


def _prove_flows(
    layout: Layout,
    stack: Stack,
    others: Sequence[Stack],
    neighbours: Callable[[], Sequence[Stack]],
    *,
    thorough: bool,
) -> FlowProof:
    depth = THOROUGH if thorough else QUICK
    around = _around(layout, thorough=thorough)
    own = _places(layout, stack, "")
    foreign = [_places(layout, other, f"{other.environment}:") for other in others]
    beside = [place for places in foreign for place in places]
    listening = _listening((*own, *(p for p in beside if thorough or is_shared(p))))
    between = ask_between(own, foreign, listening, depth)
    questions = [*ask_inside(own, around, listening, depth), *between.questions]
    batches = _batches(questions, own)
    region = Batch(layout.namespace, around.region.address, (), look=look_at_region)
    probe_all([*(batch for _, batch in batches.values()), region], layout.namespace)
    seen = Seen(
        region.seen if isinstance(region.seen, SeenRegion) else None,
        {
            place.label: batch.seen
            for place, (_, batch) in ((p, batches[id(p)]) for p in own)
            if isinstance(batch.seen, SeenMachine)
        },
    )
    flows = tuple(
        _flow(question, reach)
        for asked, batch in batches.values()
        if batch.answers is not None or (asked and asked[0].source.stack is stack)
        for question, reach in zip(asked, batch.answers or _no_answers(asked), strict=True)
    )
    coverage = replace(
        _coverage(batches.values(), between, len(others)),
        samples=[*samples_of_listeners(questions, own, listening, depth)],
    )
    claims = (flow_claim(flows, coverage), *audit(layout, stack, seen, neighbours))
    return FlowProof(flows, claims)


def _no_answers(asked: Sequence[Question]) -> list[Reach | None]:
    return [None] * len(asked)


def _around(layout: Layout, *, thorough: bool) -> Surroundings:
    host, region = host_link_addresses(layout)
    ports: set[Port] = {(Protocol.TCP, layout.region.proxy_port)}
    if thorough:
        ports |= listening_here()
    return surroundings(host, region, ports)


def _places(layout: Layout, stack: Stack, prefix: str) -> list[Place]:
    return [
        Place(
            label=f"{prefix}{machine.name}",
            address=str(machine.address),
            namespace=layout.machine(stack.environment, machine.name).namespace,
            stack=stack,
            machine=machine,
        )
        for machine in stack.machines
    ]


def _listening(places: Iterable[Place]) -> Listening:
    """What each of these machines listens on, read now; of others, nothing."""
    asked = {place.namespace for place in places if place.namespace is not None}
    found = listening_in(asked)

    def of(place: Place) -> frozenset[Port]:
        nothing: frozenset[Port] = frozenset()
        return nothing if place.namespace is None else found.get(place.namespace, nothing)

    return of


def _batches(
    questions: Sequence[Question], own: Sequence[Place]
) -> dict[int, tuple[list[Question], Batch]]:
    """The questions by source, each with its batch; the environment's own machines first, which
    are looked at as well."""
    asked: dict[int, tuple[Place, list[Question]]] = {id(place): (place, []) for place in own}
    for question in questions:
        asked.setdefault(id(question.source), (question.source, []))[1].append(question)
    looked_at = {id(place) for place in own}
    return {
        key: (
            mine,
            Batch(
                place.namespace,
                place.address,
                [_aim(question) for question in mine],
                look=look_at_machine if key in looked_at else None,
            ),
        )
        for key, (place, mine) in asked.items()
    }


def _aim(question: Question) -> Target:
    address = question.target.address
    payload = _DNS_QUESTION if (address, question.port) == (DNS_ADDRESS, 53) else b""
    return Target(address, question.protocol, question.port, question.bound, payload)


def _flow(question: Question, reach: Reach | None) -> Flow:
    """``reach`` is None if the probe could not be sent: its machine has lost its network."""
    met = reach or Reach.SILENT
    return Flow(
        source=question.source.label,
        target=question.target.label,
        protocol=question.protocol,
        port=question.port,
        declared=question.declared,
        reach=met,
        verdict=judge(met, declared=question.declared, promised=question.promised),
        chosen=question.chosen,
    )


def _coverage(
    batches: Iterable[tuple[Sequence[Question], Batch]], between: Between, environments: int
) -> Coverage:
    told = [(asked, batch) for asked, batch in batches if batch.answers is not None]
    return Coverage(
        environments=environments,
        pairs=between.pairs,
        chosen=between.asked,
        answered=answered_pairs(
            answer
            for asked, batch in told
            for answer in zip(asked, batch.answers or (), strict=True)
        ),
        unsent=[
            f"probes from {asked[0].source.label} could not be sent: "
            + ", ".join(os.strerror(code) for code in sorted(batch.faults))
            for asked, batch in told
            if batch.faults
        ],
    )
