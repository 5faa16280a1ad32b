"""The operator's policy against the calls that greenroom makes: those that it can make, by its
source, and those that a journey through the command line did make. Both ways."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from greenroom.cli.main import main
from greenroom.providers.aws.errors import Asked
from tests.cloud.aws_calls import actions_called
from tests.cloud.fake.account import Account
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "aws.md"
POLICY = ROOT / "docs" / "aws-operator-policy.json"

OF_OTHERS = {
    "ssm:ResumeSession": "AWS's plugin for sessions asks for it",
    "ssm:TerminateSession": "AWS's plugin for sessions asks for it",
}
"""Allowed, and called by another program with the same credentials."""


def statements() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(POLICY.read_text())["Statement"]
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(action: str, resource: str) -> bool:
    """As IAM would, but for conditions; ``*`` is a resource that is not known."""
    return any(
        any(fnmatchcase(action, each) for each in listed(statement["Action"]))
        and (
            resource == "*"
            or any(fnmatchcase(resource, each) for each in listed(statement["Resource"]))
        )
        for statement in statements()
    )


def allowed() -> set[str]:
    return {action for statement in statements() for action in listed(statement["Action"])}


def test_every_call_that_the_source_makes_is_allowed() -> None:
    missing = {a: file for a, file in actions_called(ROOT / "src").items() if not allows(a, "*")}
    assert missing == {}, f"add what is missing to {POLICY.name}"


def test_nothing_is_allowed_that_the_source_never_calls() -> None:
    called = actions_called(ROOT / "src")
    idle = {each for each in allowed() if not any(fnmatchcase(a, each) for a in called)}
    assert idle == set(OF_OTHERS), f"take what nobody calls out of {POLICY.name}"
    assert [action for action in OF_OTHERS if f"`{action}`" not in PAGE.read_text()] == []


def run(*words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0, words


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.php").write_text("<?php")
    return tmp_path / "dist"


def edited(folder: Path) -> Path:
    """The photo feed with another instance type: an update has something to do."""
    text = EXAMPLE.read_text()
    assert "t3.micro" in text
    paths = {line.split(": ")[-1] for line in re.findall(r"^ +/etc/.+: images/.+$", text, re.M)}
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text((EXAMPLE.parent / path).read_text())
    changed = folder / "greenroom.yaml"
    changed.write_text(text.replace("t3.micro", "t3.small"))
    return changed


def journey(account: Account, blueprint: Path, other: Path, code: Path) -> None:
    """From the code to the environment and back."""
    booting(account)
    here = ("--provider", "aws", "-f", str(blueprint))
    run("artifact", "push", "backend", str(code), "--branch", "feature_x", *here)
    run("plan", "--branch", "feature_x", *here)
    run("create", "--branch", "feature_x", *here)
    run("update", "feature_x", "--provider", "aws", "-f", str(other))
    for words in (
        ("list",),
        ("show", "feature_x"),
        ("drift", "feature_x"),
        ("destroy", "feature_x"),
    ):
        run(*words, "--provider", "aws")


def test_a_journey_calls_what_is_allowed_on_its_resource_and_known_from_the_source(
    account: Account, code: Path, tmp_path: Path
) -> None:
    journey(account, EXAMPLE, edited(tmp_path), code)
    calls = {(call.name, call.resource) for call in account.log.calls if not call.own}
    assert {"s3:PutObject", "cloudformation:ExecuteChangeSet"} <= {name for name, _ in calls}
    made = {(action_of(name), resource) for name, resource in calls}
    assert [call for call in sorted(made) if not allows(*call)] == []
    # Or else the reading of the source misses something.
    assert {action for action, _ in made} <= set(actions_called(ROOT / "src"))


def action_of(call: str) -> str:
    """The action that IAM knows an operation by."""
    service, _, operation = call.partition(":")
    return Asked(service=service, operation=operation, region="").action
