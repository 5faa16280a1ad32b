"""The journey of an environment on AWS through the command line: created, listed, shown, compared,
changed, destroyed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cloud.command import runner
from tests.cloud.fake.account import Account
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE


def test_a_branch_lives_on_aws_from_create_to_receipt(
    account: Account,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    blueprint = tmp_path / "greenroom.yaml"
    shutil.copy(EXAMPLE, blueprint)
    shutil.copytree(EXAMPLE.parent / "images", tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_PROVIDER", "aws")
    booting(account)
    run = runner(capfd)

    code, out, err = run("create", "--branch", "feature_x", "--restore_db", "extract")
    assert (code, "photos/feature-x is" in out) == (0, True), err

    code, out, _ = run("list", "--json")
    (listed,) = json.loads(out)
    assert (listed["name"], listed["status"]) == ("photos/feature-x", "ready")
    assert listed["machines"] == ["backend1", "db1", "feed1"]

    code, out, _ = run("show", "feature_x", "--json")
    shown = json.loads(out)
    assert [(r["machine"], r["row_count"]) for r in shown["restores"]] == [("db1", 1200)]
    assert shown["urls"] == ["http://api.feature-x.photos.internal"]
    assert {c["verdict"] for c in shown["proof"]["claims"]} == {"proved", "not verified"}

    code, out, err = run("drift", "feature_x", "--json")
    report = json.loads(out)
    assert (code, report["differences"]) == (0, []), err
    assert {each["type"] for each in report["unverified"]} <= {
        "AWS::IAM::InstanceProfile",
        "AWS::Route53::HostedZone",
    }

    text = blueprint.read_text()
    assert "{port: 6379, from: backend}" in text
    blueprint.write_text(text.replace("{port: 6379, from: backend}", "{port: 6380, from: backend}"))
    code, out, err = run("drift", "feature_x", "--json")
    changed = {(each["kind"], each["resource"]) for each in json.loads(out)["differences"]}
    assert code == 3
    assert ("blueprint", "feedFrombackendtcp6379") in changed
    assert ("blueprint", "feedFrombackendtcp6380") in changed

    code, out, err = run("update", "feature_x")
    assert code == 0, err
    code, out, err = run("drift", "feature_x", "--json")
    assert (code, json.loads(out)["differences"]) == (0, []), err

    code, out, err = run("destroy", "feature_x")
    assert code == 0, err
    assert "  left over  0 left over" in out
    assert json.loads(run("list", "--json")[1]) == []
    assert account.client("ec2").describe_volumes()["Volumes"] == []
