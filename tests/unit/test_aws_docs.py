"""What docs/aws.md says of the template of the photo feed, held against that template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from greenroom.blueprint.parse import load_blueprint
from greenroom.cli.cloud.costs import cost_line
from greenroom.model.cloud import CloudStack
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.plan.costs import costs_of
from greenroom.providers.aws.price_table import shipped_table
from greenroom.providers.aws.template import compile_template

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "aws.md").read_text()
PHOTOS = ROOT / "examples" / "photos" / "greenroom.yaml"


@pytest.fixture(scope="module")
def cloud() -> CloudStack:
    request = CreateRequest(blueprint=PHOTOS, branch="feature_x", restore=(("db", "extract"),))
    now = datetime(2026, 11, 23, tzinfo=UTC)
    ask = CloudAsk(agent_sha256="ab" * 32, owner="lars", now=now, taken={})
    return plan_cloud(load_blueprint(PHOTOS), request, ask)


@pytest.fixture(scope="module")
def template(cloud: CloudStack) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(compile_template(cloud).body)
    return document


def test_the_counts_are_those_of_the_template(template: dict[str, Any]) -> None:
    said = re.search(r"(\d+) resources and (\d+)\s+outputs for the machines", PAGE)
    assert said is not None
    assert (int(said[1]), int(said[2])) == (len(template["Resources"]), len(template["Outputs"]))


def test_every_type_of_resource_is_walked_through(template: dict[str, Any]) -> None:
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert [name for name in sorted(types) if f"`{name}`" not in PAGE] == []


def walked() -> Iterator[str]:
    """The logical ids in the first columns of the walk's tables."""
    walk = PAGE[PAGE.index("### Groups and rules") : PAGE.index("### The stack itself")]
    for row in re.findall(r"^\| (`.+?) \| `AWS::", walk, re.MULTILINE):
        yield from re.findall(r"`(\w+)(?:…)?`", row)


def test_every_resource_that_is_walked_through_is_in_the_template(
    template: dict[str, Any],
) -> None:
    named = list(walked())
    assert len(named) > 15
    ids = tuple(template["Resources"])
    assert [name for name in named if not any(id.startswith(name) for id in ids)] == []


def test_the_cost_is_what_the_shipped_prices_give(cloud: CloudStack) -> None:
    assert f"\n    {cost_line(costs_of(cloud, shipped_table()))}\n" in PAGE


def test_the_addresses_that_the_page_links_to_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)(#[^)]+)?\)", PAGE)
    assert len(links) > 5
    assert [path for path, _ in links if not (ROOT / "docs" / path).exists()] == []
