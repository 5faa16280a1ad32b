"""Creates on AWS as a process of their own: the stream of events, exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from greenroom.cli.main import main
from tests.cloud.fake.account import Account
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE

NAME = "greenroom-photos-feature-x"
WORDS = ("create", "--provider", "aws", "--branch", "feature_x", "-f", str(EXAMPLE))


def started(account: Account, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "greenroom.cli", *words],
        env={**os.environ, **account.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_json_is_a_stream_of_events_and_then_the_environment(account: Account) -> None:
    booting(account)
    out, err = started(account, *WORDS, "--json").communicate(timeout=120)
    assert err == ""
    *events, last = [json.loads(line) for line in out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "result"
    assert (events[-1]["status"], events[-1]["exit_code"]) == ("succeeded", 0)
    environment = last["environment"]
    assert (environment["name"], environment["aws_status"]) == (
        "photos/feature-x",
        "CREATE_COMPLETE",
    )
    assert environment["urls"] == ["http://api.feature-x.photos.internal"]
    assert [r["row_count"] for r in environment["restores"]] == [1200]


def test_an_error_is_one_line_of_json_and_the_result_says_the_same(account: Account) -> None:
    booting(account, broken={"feed1": "check: port 6379 refused"})
    process = started(account, *WORDS, "--json")
    out, err = process.communicate(timeout=120)
    error = json.loads(err)["error"]
    result = json.loads(out.splitlines()[-1])
    assert process.returncode == 1
    assert error["code"] == result["code"] == "E_MACHINE_FAILED"
    assert error["message"] == result["message"]
    assert error["message"] == "feed1: check: port 6379 refused; nothing of it is left"


def test_ctrl_c_takes_the_create_back(account: Account) -> None:
    booting(account, silent={"db1"})
    process = started(account, *WORDS)
    deadline_s = time.monotonic() + 60
    while not account.engine.stacks or account.stack(NAME).status != "CREATE_IN_PROGRESS":
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "cancelling; press Ctrl-C again to leave it to CloudFormation" in err
    assert (
        "error E_CANCELLED: create of photos/feature-x was cancelled; nothing of it is left" in err
    )
    assert [stack.status for stack in account.engine.stacks.values()] == ["DELETE_COMPLETE"]


def test_ctrl_c_is_heard_while_aws_throttles(account: Account) -> None:
    """Each try of ours is three of boto3's; the pauses in between grow to minutes in all."""
    account.faults.throttle("cloudformation:DescribeStacks")
    process = started(account, *WORDS)
    deadline_s = time.monotonic() + 60
    while account.log.counts()["cloudformation:DescribeStacks"] < 4:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (1, "error E_CANCELLED: cancelled")
    assert account.engine.stacks == {}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ("--max-cost-usd-per-day", "abc"),
            "--max-cost-usd-per-day 'abc' is not an amount of dollars",
            "for example --max-cost-usd-per-day 12.50",
        ),
        (
            ("--role", "deployer"),
            "--role 'deployer' is not the ARN of a role (GREENROOM_AWS_ROLE is its default)",
            "for example --role arn:aws:iam::123456789012:role/cloudformation",
        ),
    ],
)
def test_what_is_no_amount_or_role_is_refused_before_aws_is_asked(
    account: Account,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
    hint: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        main((*WORDS, *words))
    lines = capfd.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert lines[-2:] == [f"error E_USAGE: {message}", f"→ {hint}"]
    assert not account.log.counts()
