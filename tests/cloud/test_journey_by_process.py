"""The journey of an environment on AWS by processes of their own: what a person's shell sees."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.cloud.fake.account import Account
from tests.cloud.machines import booting
from tests.cloud.session_manager import SessionManager
from tests.cloud.stage import EXAMPLE
from tests.cloud.standing import group_body, stand

NAME = "greenroom-photos-feature-x"
TIMEOUT_S = 120


def started(
    account: Account, folder: Path, *words: str, **environment: str
) -> subprocess.Popen[str]:
    """``greenroom`` on AWS in ``folder``, running."""
    return subprocess.Popen(
        [sys.executable, "-m", "greenroom.cli", *words],
        cwd=folder,
        env={**os.environ, **account.environment, "GREENROOM_PROVIDER": "aws", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed, once it has ended with ``code``."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == code, err
    return out


def test_a_branch_lives_on_aws_by_processes(account: Account, tmp_path: Path) -> None:
    blueprint = tmp_path / "greenroom.yaml"
    shutil.copy(EXAMPLE, blueprint)
    shutil.copytree(EXAMPLE.parent / "images", tmp_path / "images")
    machines = booting(account)

    def start(*words: str, **environment: str) -> subprocess.Popen[str]:
        return started(account, tmp_path, *words, **environment)

    assert "photos/feature-x is" in answered(start("create", "--branch", "feature_x"))
    assert sorted(machines.booted) == ["backend1", "db1", "feed1"]

    backend = account.stack(NAME).resources["backend1"].physical_id or ""
    manager = SessionManager(tmp_path)
    manager.online |= {launch.instance_id: "Online" for launch in account.engine.launches}
    log = tmp_path / "var/log/greenroom/nginx/current"
    log.parent.mkdir(parents=True)
    log.write_text("ready\n")
    ssm = {"AWS_ENDPOINT_URL_SSM": manager.url}
    # They only look, so they may all run at once.
    listed = start("list", "--json")
    shown = start("show", "feature_x")
    ran = start("exec", "feature_x", "backend1", "--", "sh", "-c", "echo hi; exit 5", **ssm)
    logged = start("logs", "feature_x", **ssm)
    shell = start("shell", "--json", "feature_x", "backend1", **ssm)
    assert [each["name"] for each in json.loads(answered(listed))] == ["photos/feature-x"]
    assert "  delete   allowed" in answered(shown)
    assert answered(ran, 5) == "hi\n"
    assert "backend1/nginx | ready\n" in answered(logged)
    assert json.loads(answered(shell))["argv"][-2:] == ["--target", backend]
    manager.close()

    text = blueprint.read_text()
    assert "{port: 6379, from: backend}" in text
    blueprint.write_text(text.replace("{port: 6379, from: backend}", "{port: 6380, from: backend}"))
    answered(start("update", "feature_x"))
    assert account.stack(NAME).status == "UPDATE_COMPLETE"
    assert "feedFrombackendtcp6380" in account.stack(NAME).resources

    gone = answered(start("destroy", "feature_x"))
    assert re.search(r"^photos/feature-x is gone in ", gone, re.MULTILINE)
    assert "  left over  0 left over" in gone
    assert json.loads(answered(start("list", "--json"))) == []
    assert [stack.status for stack in account.engine.stacks.values()] == ["DELETE_COMPLETE"]


def test_ctrl_c_before_anything_is_deleted_says_that_nothing_was(
    account: Account, tmp_path: Path
) -> None:
    stand(account, template=group_body())
    # The look before a delete, for the bill, finds nobody, and is asked for again and again.
    account.faults.cut("ec2:DescribeInstances", times=1000)
    process = started(account, tmp_path, "destroy", "feature_x")
    assert process.stderr is not None
    assert "AWS did not answer ec2:DescribeInstances" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "error E_LEFT_TO_AWS: nothing of photos/feature-x was deleted" in err
    assert account.stack(NAME).status == "CREATE_COMPLETE"
