"""``list``, ``show``, ``open``, ``drift``, ``exec``, ``logs``, ``shell`` and ``destroy`` on AWS
through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.command import Run, runner
from tests.cloud.fake.account import Account
from tests.cloud.session_manager import SessionManager
from tests.cloud.standing import group_body, stand, tags_of


@pytest.fixture
def run(
    account: Account,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Run:
    """The CLI in this process, in a folder without a blueprint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_PROVIDER", "aws")
    return runner(capfd)


def test_an_environment_is_listed_shown_opened_and_destroyed(account: Account, run: Run) -> None:
    stand(account)
    listed = run("list")
    assert listed.code == 0
    head, line = listed.out.splitlines()
    columns = ["ENVIRONMENT", "BRANCH", "STATUS", "VERDICT", "MACHINES", "AGE", "EXPIRES"]
    assert head.split() == [*columns, "OWNER", "PRICE", "URL"]
    assert re.search(
        r"photos/feature-x +feature_x +ready +not verified +1 machine .* ann +\$\d+\.\d\d a day +"
        r"http://api\.feature-x\.photos\.internal$",
        line,
    )
    shown = run("show", "feature_x")
    for words in (
        "photos/feature-x  ready  not verified",
        "  owner    ann",
        "  delete   allowed",
        "backend1  healthy",
        "flows",
    ):
        assert words in shown.out
    document = json.loads(run("show", "feature_x", "--json").out)
    assert document["summary"]["cost"]["items"]
    assert document["verdict"] == "not verified"
    assert [each["table_count"] for each in document["restores"]] == [1]
    opened = run("open", "--json")
    assert json.loads(opened.out)["url"] == "http://api.feature-x.photos.internal"
    destroyed = run("destroy", "feature_x")
    assert (destroyed.code, destroyed.err.count("✗")) == (0, 0)
    assert re.search(
        r"^photos/feature-x is gone in .*\n  removed    4 resources\n  left over  0 left over\n"
        r"  cost       (under )?\$0\.\d\d, by the second\n$",
        destroyed.out,
    )
    gone = run("destroy", "feature_x")
    assert (gone.code, gone.err.splitlines()[0]) == (
        1,
        "error E_NO_ENVIRONMENT: there is no environment 'feature_x' on AWS in eu-west-1",
    )
    assert "there is no environment on AWS in eu-west-1" in run("list").out


def test_drift_ends_with_three_and_names_each_difference(account: Account, run: Run) -> None:
    stack = stand(account)
    assert run("drift").code == 0
    account.client("ec2").stop_instances(
        InstanceIds=[stack.resources["backend1"].physical_id or ""]
    )
    drifted = run("drift", "feature_x")
    assert drifted.code == 3
    assert re.search(r"^state +backend1 +state +running +stopped$", drifted.out, re.MULTILINE)
    assert "error E_AWS_DRIFTED: photos/feature-x is not as declared" in drifted.err
    instance = stack.resources["backend1"].physical_id
    assert f"aws ec2 start-instances --region eu-west-1 --instance-ids {instance}" in drifted.err
    assert "greenroom update" not in drifted.err
    document = json.loads(run("drift", "--json").out)
    assert document["verdict"] == "failed"


def test_a_destroy_in_json_is_events_and_a_receipt(account: Account, run: Run) -> None:
    stand(account, template=group_body(), tags=tags_of(production="true"))
    refused = run("destroy", "feature_x", "--json")
    assert (refused.code, json.loads(refused.err)["error"]["code"]) == (4, "E_PRODUCTION")
    ran = run("destroy", "feature_x", "--confirm", "photos/feature-x", "--json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert [line["kind"] for line in lines[:-1]][-1] == "result"
    receipt = lines[-1]["receipt"]
    assert (receipt["environment"], receipt["remains"]) == ("photos/feature-x", [])
    assert receipt["cost_usd"] == {"usd": "0", "unknown": []}


def test_what_nobody_may_look_for_is_not_called_gone(account: Account, run: Run) -> None:
    stand(account, template=group_body())
    account.faults.deny("ec2:DescribeInstances")
    ran = run("destroy", "feature_x")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("photos/feature-x is gone as far as anybody may look in ")
    assert any(line.startswith("  not verified: instances: AWS denies ") for line in lines)
    assert lines[-1] == "  cost       not known"


def test_words_reach_a_machine(
    account: Account, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = SessionManager(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", manager.url)
    stack = stand(account)
    instance = stack.resources["backend1"].physical_id or ""
    manager.online[instance] = "Online"
    log = tmp_path / "var/log/greenroom/nginx/current"
    log.parent.mkdir(parents=True)
    log.write_text("ready\n")
    assert run("exec", "feature_x", "backend1", "--", "sh", "-c", "echo hi; exit 5") == (
        5,
        "hi\n",
        "",
    )
    captured = run("exec", "--json", "feature_x", "backend1", "true")
    assert json.loads(captured.out) == {"exit_code": 0, "stdout": "", "stderr": "", "cut": False}
    assert run("logs", "feature_x").out == "backend1/nginx | ready\n"
    argv = json.loads(run("shell", "--json", "feature_x", "backend1").out)["argv"]
    assert argv == ["aws", "ssm", "start-session", "--region", "eu-west-1", "--target", instance]
    manager.close()


def test_options_of_aws_mean_nothing_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GREENROOM_PROVIDER")
    for words in (["list", "--region", "eu-west-1"], ["destroy", "x", "--retain", "y"]):
        ran = run(*words)
        assert (ran.code, ran.err.splitlines()[0]) == (
            2,
            f"error E_USAGE: {words[-2]} is for AWS",
        )
    assert run("drift").code == 2
