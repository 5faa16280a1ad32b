"""What cloud-init keeps of metadata is what metadata says, and nothing else is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.agent_region import machine_paths
from tests.unit.blueprint_values import stack_of

from greenroom.agent.facts import NAMES, kept_facts
from greenroom.providers.local.metadata import categories, instance_data
from greenroom.providers.local.residents import Resident


@pytest.fixture
def paths(tmp_path):
    return machine_paths(tmp_path)


def keep(paths, text: str) -> None:
    path = Path(paths.instance_data)
    path.parent.mkdir(parents=True)
    path.write_text(text)


@pytest.mark.parametrize("name", ["backend1", "db1", "feed1"])
def test_a_machine_finds_in_place_what_metadata_would_answer(paths, name):
    stack = stack_of("backend", "db", "feed", branch="feature_x")
    resident = Resident(stack, stack.machine(name))
    keep(paths, instance_data(resident))
    facts = kept_facts(paths)
    served = categories(resident)
    assert facts is not None
    assert facts.metadata == {name: served[name] for name in NAMES}
    assert facts.tags == dict(stack.machine(name).tags)
    assert facts.tags["role"] == stack.machine(name).type


WHOLE = {**dict.fromkeys(NAMES, "x"), "tags": {"instance": {"role": "db"}}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        json.dumps({"ds": {}}),
        json.dumps({"ds": {"meta_data": {**WHOLE, "tags": {}}}}),
        json.dumps({"ds": {"meta_data": {**WHOLE, "tags": {"instance": {"role": {"a": 1}}}}}}),
        json.dumps({"ds": {"meta_data": {**WHOLE, "local-ipv4": None}}}),
        json.dumps({"ds": {"meta_data": {n: v for n, v in WHOLE.items() if n != "hostname"}}}),
    ],
)
def test_what_is_not_whole_is_asked_of_metadata(paths, text):
    keep(paths, text)
    assert kept_facts(paths) is None


def test_lines_come_back_as_metadata_gave_them(paths):
    keep(paths, json.dumps({"ds": {"meta_data": {**WHOLE, "security-groups": ["a", "b"]}}}))
    facts = kept_facts(paths)
    assert facts is not None
    assert facts.metadata["security-groups"] == "a\nb"


def test_without_cloud_init_metadata_is_asked(paths):
    assert kept_facts(paths) is None
