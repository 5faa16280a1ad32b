"""Proofs that are asked for at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.unit.blueprint_values import stack_of

from greenroom.model.stack import Stack
from greenroom.providers.local import prove_flows
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.prove_flows import FlowProof
from greenroom.region import Region

LAYOUT = Layout(Region(label="turns"))
FIRST, OTHER = (stack_of("db", branch=branch) for branch in ("feature_x", "other"))
PATIENCE_S = 30


def prove(stack: Stack) -> FlowProof:
    return prove_flows.prove_flows(LAYOUT, stack, (), tuple[Stack], thorough=True)


def each(stacks: Sequence[Stack]) -> list[FlowProof]:
    with ThreadPoolExecutor(len(stacks)) as workers:
        return list(workers.map(prove, stacks))


def test_proofs_of_one_environment_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    hold = threading.Event()

    def probing(*_: Any, **__: Any) -> FlowProof:
        log.append("begins")
        # Long enough for the others to begin as well, if they could.
        hold.wait(0.02)
        log.append("ends")
        return FlowProof((), ())

    monkeypatch.setattr(prove_flows, "_prove_flows", probing)
    assert len(each([FIRST] * 4)) == 4
    assert log == ["begins", "ends"] * 4


def test_proofs_of_two_environments_wait_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    def probing(*_: Any, **__: Any) -> FlowProof:
        both.wait(PATIENCE_S)
        return FlowProof((), ())

    monkeypatch.setattr(prove_flows, "_prove_flows", probing)
    assert len(each([FIRST, OTHER])) == 2


def test_a_proof_that_fails_lets_the_next_one_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> FlowProof:
        raise OSError("the probes could not be sent")

    monkeypatch.setattr(prove_flows, "_prove_flows", broken)
    for _ in range(2):
        with pytest.raises(OSError, match="could not be sent"):
            prove(FIRST)
