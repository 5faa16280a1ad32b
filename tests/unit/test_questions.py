"""What a proof asks: every pair, every declared port, every listener, and a sample of the rest."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest
from tests.unit.blueprint_values import allocation, blueprint_of, request, stack_of
from tests.unit.test_shared import branch, shared

from greenroom.model.proof import Chosen, Flow, Reach, Verdict
from greenroom.model.stack import Protocol, Stack
from greenroom.plan.plan import plan
from greenroom.providers.local.flow_claim import (
    Coverage,
    answered_pairs,
    flow_claim,
    samples_of_listeners,
)
from greenroom.providers.local.questions import (
    QUICK,
    THOROUGH,
    Depth,
    Place,
    Question,
    ask_between,
    ask_inside,
    sampled_ports,
    surroundings,
)

TCP, UDP = Protocol.TCP, Protocol.UDP
AROUND = surroundings("10.213.255.1", "10.213.255.2", {(TCP, 8080)})


def places(stack: Stack, prefix: str = "") -> list[Place]:
    return [
        Place(label=f"{prefix}{m.name}", address=str(m.address), stack=stack, machine=m)
        for m in stack.machines
    ]


def nothing(place: Place) -> frozenset[tuple[Protocol, int]]:
    return frozenset()


@pytest.fixture
def own() -> list[Place]:
    return places(stack_of("backend", "db", "feed", branch="feature_x"))


def said(questions: list[Question]) -> dict[tuple[str, str, Protocol, int], Question]:
    return {(q.source.label, q.target.label, q.protocol, q.port): q for q in questions}


@pytest.mark.parametrize("depth", [QUICK, THOROUGH])
def test_every_pair_is_asked_and_the_outside_both_ways(own: list[Place], depth: Depth) -> None:
    asked = {(q.source.label, q.target.label) for q in ask_inside(own, AROUND, nothing, depth)}
    names = ["backend1", "db1", "feed1"]
    assert asked >= set(permutations(names, 2))
    assert asked >= {("outside", name) for name in names}
    around = ("metadata", "buckets", "dns", "region", "host", "beyond")
    assert asked >= {(name, place) for name in names for place in around}


def test_every_declared_port_and_every_listener_is_asked_of_everybody(own: list[Place]) -> None:
    def heard(place: Place) -> frozenset[tuple[Protocol, int]]:
        return frozenset({(TCP, 4711), (UDP, 4712)}) if place.label == "feed1" else frozenset()

    asked = said(list(ask_inside(own, AROUND, heard, QUICK)))
    for source in ("backend1", "db1", "outside"):
        assert asked[source, "feed1", TCP, 6379].chosen is Chosen.DECLARED
        assert asked[source, "feed1", TCP, 4711].chosen is Chosen.LISTENING
        assert asked[source, "feed1", UDP, 4712].bound
        assert not asked[source, "feed1", UDP, 4712].declared
    assert asked["backend1", "db1", TCP, 3306].declared
    assert not asked["feed1", "db1", TCP, 3306].declared
    # The ports beside a declared one, and the same number over the other protocol.
    for port in ((TCP, 6378), (TCP, 6380), (UDP, 6379), (TCP, 22)):
        assert asked["backend1", "feed1", *port].chosen is Chosen.SAMPLE


def test_the_regions_services_are_open_on_their_ports_only(own: list[Place]) -> None:
    asked = said(list(ask_inside(own, AROUND, nothing, THOROUGH)))
    declared = {key[1:] for key, q in asked.items() if q.declared and q.target.stack is None}
    assert declared == {
        ("metadata", TCP, 80),
        ("buckets", TCP, 80),
        ("dns", TCP, 53),
        ("dns", UDP, 53),
    }
    assert ("db1", "metadata", TCP, 53) in asked
    assert ("db1", "host", TCP, 8080) in asked
    assert asked["db1", "dns", UDP, 53].promised


def test_a_sample_is_the_same_every_time_and_spread_over_all_ports() -> None:
    assert sampled_ports("photos/feature-x/db1", 3) == sampled_ports("photos/feature-x/db1", 8)[:3]
    ports = sampled_ports("anything", 2000)
    assert min(ports) >= 1 and max(ports) <= 65535
    assert len({port // 8192 for port in ports}) == 8


def test_between_few_environments_every_pair_is_asked_both_ways(own: list[Place]) -> None:
    other = places(plan(blueprint_of(), request(branch="other"), allocation(3)), "photos/other:")
    between = ask_between(own, [other], nothing, QUICK)
    assert between.asked == between.pairs == 2 * len(own) * len(other)
    assert {q.declared for q in between.questions} == {False}
    sources = {(q.source.label, q.target.label) for q in between.questions}
    assert ("photos/other:db1", "backend1") in sources
    assert ("backend1", "photos/other:db1") in sources


def test_between_many_environments_each_has_its_share_and_the_cost_is_bounded(
    own: list[Place],
) -> None:
    blueprint = blueprint_of()
    others = [
        places(plan(blueprint, request(branch=f"b{n}"), allocation(10 + n)), f"photos/b{n}:")
        for n in range(30)
    ]
    between = ask_between(own, others, nothing, QUICK)
    assert between.pairs == sum(2 * len(own) * len(other) for other in others)
    assert between.asked == 30 * 2
    per_environment = Counter(
        label.partition(":")[0]
        for q in between.questions
        for label in (q.source.label, q.target.label)
        if ":" in label
    )
    assert len(per_environment) == 30
    again = ask_between(own, others, nothing, QUICK)
    assert said(list(again.questions)).keys() == said(list(between.questions)).keys()
    thorough = ask_between(own, others, nothing, THOROUGH)
    assert thorough.asked == thorough.pairs


def test_what_a_shared_machine_admits_is_never_left_out_of_the_sample() -> None:
    own = places(branch())
    metrics = places(shared(), "photos/shared:")
    tiny = Depth(sample_tcp=0, sample_udp=0, pairs_between=2, listening=False)
    between = ask_between(own, [metrics], nothing, tiny)
    assert between.asked == 2
    assert all(q.declared for q in between.questions if q.port == 8125)
    assert any(q.declared for q in between.questions)


MANY = frozenset((TCP, port) for port in range(2000, 22000))


def many(place: Place) -> frozenset[tuple[Protocol, int]]:
    return MANY


def test_a_machine_that_listens_everywhere_is_asked_for_a_sample_that_the_claim_tells(
    own: list[Place],
) -> None:
    other = places(plan(blueprint_of(), request(branch="other"), allocation(3)), "photos/other:")
    between = ask_between(own, [other], many, THOROUGH)
    inside = list(ask_inside(own, AROUND, many, THOROUGH))
    for questions, target, limit in (
        (inside, "db1", THOROUGH.heard_own),
        (between.questions, "db1", THOROUGH.heard_own),
        (between.questions, "photos/other:db1", THOROUGH.heard_foreign),
    ):
        heard = Counter(
            q.source.label
            for q in questions
            if q.target.label == target and q.chosen is Chosen.LISTENING
        )
        assert set(heard.values()) == {limit}
        asked = {(q.port, q.chosen) for q in questions if q.target.label == target}
        assert (3306, Chosen.DECLARED) in asked
    again = ask_between(own, [other], many, THOROUGH)
    assert said(list(again.questions)).keys() == said(list(between.questions)).keys()
    told = list(samples_of_listeners((*inside, *between.questions), own, many, THOROUGH))
    assert "of 19999 other ports on which db1 listens 512 were asked, a sample" in told
    assert "of 19999 other ports on which photos/other:db1 listens 32 were asked, a sample" in told
    assert len(told) == len(own) + len(other)
    assert not list(samples_of_listeners(inside, own, nothing, THOROUGH))


def flow(reach: Reach, verdict: Verdict) -> Flow:
    return Flow(
        source="photos/other:db1",
        target="db1",
        protocol=TCP,
        port=22,
        declared=False,
        reach=reach,
        verdict=verdict,
    )


CLOSED = flow(Reach.FILTERED, Verdict.PROVED)


def test_only_pairs_that_answered_are_said_to_be_probed(own: list[Place]) -> None:
    other = places(plan(blueprint_of(), request(branch="other"), allocation(3)), "photos/other:")
    between = ask_between(own, [other], nothing, QUICK)
    inside = [(q, Reach.FILTERED) for q in ask_inside(own, AROUND, nothing, QUICK)]

    def claimed(gone: Reach | None) -> str:
        answers = [
            (q, gone if q.source.label == "photos/other:db1" else Reach.FILTERED)
            for q in between.questions
        ]
        answered = answered_pairs([*inside, *answers])
        return flow_claim(
            [CLOSED],
            Coverage(environments=1, pairs=between.pairs, chosen=between.asked, answered=answered),
        ).evidence

    pairs, lost = 2 * len(own) * len(other), len(own)
    assert claimed(Reach.FILTERED).endswith(
        f"; all {pairs} pairs with machines of 1 other environment probed"
    )
    for gone in (None, Reach.SILENT):
        assert claimed(gone).endswith(
            f"; of {pairs} pairs with machines of 1 other environment {pairs - lost} were probed, "
            f"{lost} could not be: their machine was gone"
        )


def test_a_probe_that_could_not_be_sent_is_not_verified_and_the_claim_says_why() -> None:
    why = "probes from photos/other:db1 could not be sent: Cannot assign requested address"
    coverage = Coverage(environments=1, pairs=8, chosen=8, answered=7, unsent=[why])
    claim = flow_claim([CLOSED, flow(Reach.SILENT, Verdict.NOT_VERIFIED)], coverage)
    assert claim.verdict is Verdict.NOT_VERIFIED
    assert claim.evidence == f"photos/other:db1 → db1:22/tcp is silent, not declared; {why}"
    assert flow_claim([], coverage).verdict is Verdict.NOT_VERIFIED


def test_a_sample_of_listeners_is_told_beside_what_is_proved() -> None:
    samples = [f"sample {n}" for n in range(7)]
    coverage = Coverage(environments=0, pairs=0, chosen=0, answered=0, samples=samples)
    evidence = flow_claim([CLOSED], coverage).evidence
    assert evidence.endswith("1 others closed; " + "; ".join(samples[:5]) + "; and 2 more")
