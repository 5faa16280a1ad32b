"""``deploy`` on AWS: what the agents are told through Systems Manager, and what they answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.app.cloud.deploy import types_of
from tests.cloud.command import Run, runner
from tests.cloud.fake.account import Account
from tests.cloud.session_manager import SessionManager
from tests.cloud.standing import REPORT, body, stand

SHA256 = "cd" * 32


def answer(status: str = "SUCCESS", **more: object) -> str:
    """What ``agent.pyz deploy`` prints (agent/boot.py, redeploy)."""
    return json.dumps({"status": status, **more, "phases": [["deploy", 0.2]], "notices": ["slow"]})


DONE = answer(artifact={"key": "backend-feature_x.tar.gz", "sha256": SHA256, "fallback": False})


class Machines:
    """Running machines whose python3 stands for their agent: it gives the next answer and keeps
    the words that it was called with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked = folder / "asked"
        place = folder / "python3"
        place.write_text(
            f'#!/bin/sh\necho "$*" >>{self.asked}\n'
            f"n=$(wc -l <{self.asked})\ncat {folder}/answer$n\nexit $(cat {folder}/code$n)\n"
        )
        place.chmod(0o755)

    def will(self, *answers: str) -> None:
        for number, each in enumerate(answers, 1):
            (self.folder / f"answer{number}").write_text(each)
            good = '"SUCCESS"' in each
            (self.folder / f"code{number}").write_text("0" if good else "1")

    def words(self) -> list[str]:
        return self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def machines(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machines]:
    manager = SessionManager(tmp_path)
    manager.late = 0
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", manager.url)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stack = stand(account, template=two_backends(account))
    for name in ("backend1", "backend2", "db1"):
        manager.online[stack.resources[name].physical_id or ""] = "Online"
    yield Machines(tmp_path)
    manager.close()


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return runner(capfd)


def two_backends(account: Account) -> str:
    """Two machines that told of an artifact when they booted, and one that did not."""
    image = account.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    document = json.loads(body(image))
    resources, outputs = document["Resources"], document["Outputs"]
    for name in ("backend2", "db1"):
        twin = json.loads(json.dumps(resources["backend1"]))
        twin["Properties"]["Tags"] = [{"Key": "greenroom:machine", "Value": name}]
        resources[name] = twin
    silent = json.dumps({**json.loads(REPORT), "artifact": None})
    outputs["backend2Report"] = {"Value": json.dumps({"backend2": REPORT})}
    outputs["db1Report"] = {"Value": json.dumps({"db1": silent})}
    return json.dumps(document)


def test_every_machine_that_deploys_is_told_to_one_after_the_other(
    machines: Machines, run: Run
) -> None:
    machines.will(DONE, DONE)
    code, out, err = run("deploy", "feature_x", "--provider", "aws")
    assert code == 0, err
    assert machines.words() == ["-I -S /opt/greenroom/agent.pyz deploy"] * 2
    assert out.splitlines() == [
        "photos/feature-x is deployed: the checks of 2 machines passed",
        "  code  backend1: backend-feature_x.tar.gz",
        "  code  backend2: backend-feature_x.tar.gz",
    ]
    for machine in ("backend1", "backend2"):
        assert f"✓ {machine}" in err
    assert "slow" in err


def test_the_answer_for_a_program_names_each_machines_artifact(
    machines: Machines, run: Run
) -> None:
    machines.will(DONE, DONE)
    code, out, _ = run("deploy", "--provider", "aws", "feature_x", "backend", "--json")
    assert code == 0
    document = json.loads(out.splitlines()[-1])["environment"]
    assert document["name"] == "photos/feature-x"
    assert [(each["name"], each["artifact"]["sha256"]) for each in document["machines"]] == [
        ("backend1", SHA256),
        ("backend2", SHA256),
    ]


def test_a_machine_that_fails_ends_it_with_the_agents_reason_and_what_is_in_place(
    machines: Machines, run: Run
) -> None:
    machines.will(DONE, answer("FAILURE", error="checks: http 80 says 500; release ab is back"))
    code, out, err = run("deploy", "feature_x", "--provider", "aws")
    assert (code, out) == (1, "")
    assert (
        "error E_MACHINE_FAILED: backend2: checks: http 80 says 500; release ab is back; "
        f"in place: backend1: backend-feature_x.tar.gz {SHA256[:12]}" in err
    )


def test_an_agent_that_ends_without_a_word_is_no_success(machines: Machines, run: Run) -> None:
    machines.will("Traceback: no module named agent")
    code, _, err = run("deploy", "feature_x", "--provider", "aws")
    assert code == 1
    assert (
        "backend1: its agent ended with 1 and without a reason: Traceback: no module named agent; "
        "no machine has a new release" in err
    )


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("backnd", "E_MACHINE_TYPE", "unknown machine type 'backnd'; did you mean 'backend'?"),
        (
            "db",
            "E_NOTHING_TO_DEPLOY",
            "machine type 'db' told of no artifact when it booted",
        ),
    ],
)
def test_a_type_that_does_not_deploy_is_refused_before_any_machine_is_told(
    kind: str, code: str, message: str, machines: Machines, run: Run
) -> None:
    ended, _, err = run("deploy", "feature_x", kind, "--provider", "aws")
    assert ended == 1
    assert f"error {code}: photos/feature-x: {message}" in err
    assert machines.words() == []


def test_the_agent_itself_says_why_it_cannot_deploy(
    machines: Machines, run: Run, tmp_path: Path
) -> None:
    agent = "import sys; from greenroom.agent.main import main; sys.exit(main(['deploy']))"
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{agent}"\n')
    code, _, err = run("deploy", "feature_x", "--provider", "aws")
    assert code == 1
    assert "error E_MACHINE_FAILED: backend1: " in err
    assert "boot.json" in err
    assert "without a reason" not in err


@pytest.mark.parametrize(
    ("names", "types"),
    [
        (("backend1", "db1"), ["backend", "db"]),
        (("web1", "web21", "web22"), ["web", "web2", "web2"]),
        (tuple(f"web{n}" for n in range(1, 13)), ["web"] * 12),
    ],
)
def test_a_machines_type_is_known_by_its_name(names: tuple[str, ...], types: list[str]) -> None:
    assert [types_of(names)[name] for name in names] == types
