"""Jobs through the CLI: in real machines, aborted, and through a kill of the daemon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.reboot import kill_and_wait
from tests.real.site import Site, daemon_pid, wait_until

BREEDS = """\
options: {environment: {type: environment, required: true}}
machines: {role: feed}
retry: {times: 1, interrupted: false}
script: |
  sleep 7771 & setsid sh -c 'sleep 7772 & sleep 7773' & (setsid sleep 7776 &)
  echo ready
  wait
"""
LOOKS = """\
options:
  environment: {type: environment, required: true}
  token: {type: secret, required: true}
machines: {role: feed}
script: |
  echo "token $OPTION_TOKEN on $GREENROOM_MACHINE as $(id -un)"
  for file in /proc/[0-9]*/cmdline; do
    case $(tr '\\0' ' ' < "$file" 2> /dev/null) in *"$OPTION_TOKEN"*) echo "seen in $file" ;; esac
  done
"""
HOST = """\
retry: {times: 1, interrupted: true}
script: |
  setsid sleep 7774 & (setsid sleep 7777 &)
  echo begun; sleep 1; [ "$(ls marks | wc -l)" -ge 1 ] || sleep 7775
"""


@pytest.fixture
def jobs(feature: Site) -> Iterator[Site]:
    folder = feature.folder / "jobs"
    for name, text in {"breeds": BREEDS, "looks": LOOKS, "host": HOST}.items():
        (folder / f"{name}.yaml").write_text(text)
    feature.ok("job register")
    yield feature
    for name in ("breeds", "looks", "host"):
        (folder / f"{name}.yaml").unlink()
    feature.ok("job register")


def sleepers() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if line[0] == b"sleep" and line[1].startswith(b"777"):
                found.append(line[1].decode())
    return sorted(found)


def log(site: Site, execution: str) -> list[str]:
    done = site.greenroom("job", "log", execution, "--json")
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]


def run(site: Site, *words: str) -> dict[str, Any]:
    execution: dict[str, Any] = site.data("job", "run", *words, "--detach")
    return execution


def test_the_examples_jobs_run_in_the_machines_of_their_role(jobs: Site) -> None:
    done = jobs.greenroom(
        "job", "run", "photos/count-rows", "environment=feature_x", "date=2012-06-01"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = jobs.data("job", "history", "photos/count-rows")[0]
    assert (found["status"], found["environment"]) == ("succeeded", "photos/feature-x")
    assert dict(found["options"])["limit"] == "10"

    assert jobs.greenroom("job", "run", "photos/nightly-artifacts").returncode == 0


def test_nobody_approves_their_own_on_the_socket_either(jobs: Site) -> None:
    execution = run(jobs, "photos/flush-feed", "environment=feature_x", "sure=true")
    assert execution["status"] == "awaiting approval"
    done = jobs.greenroom("job", "approve", execution["id"])
    assert (done.returncode, "E_OWN_APPROVAL" in done.stderr) == (4, True)
    assert jobs.data("job", "abort", execution["id"])["status"] == "aborted"


def test_a_secret_comes_from_a_file_and_is_seen_nowhere(jobs: Site, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2-geheim\n")
    words = ("looks", "environment=feature_x", f"token=@{tmp_path}/token")
    done = jobs.greenroom("job", "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["feed1  token ****** on feed1 as root"]

    refused = jobs.greenroom("job", "run", "looks", "environment=feature_x", "token=hunter2-geheim")
    assert refused.returncode == 2
    assert "E_SECRET_ON_COMMAND_LINE" in refused.stderr


def test_an_abort_ends_the_processes_inside_the_machine(jobs: Site) -> None:
    execution = run(jobs, "breeds", "environment=feature_x")
    wait_until(lambda: len(sleepers()) == 4 and log(jobs, execution["id"]) == ["ready"])
    ended = jobs.data("job", "abort", execution["id"])

    assert sleepers() == []
    wait_until(lambda: jobs.data("job", "show", execution["id"])["status"] == "aborted")
    assert ended["asked_by"] == "root"
    assert log(jobs, execution["id"]) == ["ready"]
    assert jobs.inside("feature_x", "feed1", "redis-cli ping")[1].strip() == "PONG"


def test_a_kill_of_the_daemon_orphans_nothing_and_every_execution_ends(jobs: Site) -> None:
    (jobs.folder / "marks").mkdir(exist_ok=True)
    inside, host = run(jobs, "breeds", "environment=feature_x"), run(jobs, "host")
    wait_until(lambda: len(sleepers()) == 7 and log(jobs, inside["id"]) == ["ready"])
    (jobs.folder / "marks" / "one").touch()
    kill_and_wait([daemon_pid()])

    after = jobs.data("job", "show", inside["id"])
    assert (after["status"], after["retried_by"]) == ("interrupted", None)
    again = jobs.data("job", "show", host["id"])
    assert (again["status"], again["code"]) == ("interrupted", "E_JOB_INTERRUPTED")

    def ended() -> bool:
        return bool(jobs.data("job", "show", again["retried_by"])["status"] == "succeeded")

    wait_until(ended)
    assert sleepers() == []
    assert log(jobs, inside["id"]) == ["ready"]


def test_the_outcome_of_a_job_is_the_exit_code(jobs: Site) -> None:
    (jobs.folder / "jobs" / "host.yaml").write_text("script: echo so; exit 5\n")
    jobs.ok("job register")
    done: subprocess.CompletedProcess[str] = jobs.greenroom("job", "run", "host")
    assert (done.returncode, done.stdout) == (1, "so\n")
    assert "error E_JOB_FAILED: photos/host ended with 5" in done.stderr
    unknown = jobs.greenroom("job", "run", "hots")
    assert unknown.returncode == 1
    assert "unknown job 'hots'; did you mean 'host'?" in unknown.stderr
