"""greenroom create, plan and schema."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.component.cli_daemon import ONE, Answer, FakeDaemon, problem
from tests.component.cli_stage import EVENTS, SEED, Run
from tests.unit import cli_values as values

from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.proof import Claim, Reach, Verdict
from greenroom.region import Region


def test_the_seeds_command_works_word_for_word(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "claudia")
    assert run(SEED).code == 0
    assert daemon.bodies("/v1/operations") == [
        {
            "kind": "create",
            "blueprint": str(tmp_path / "greenroom.yaml"),
            "machines": ["backend", "db", "feed"],
            "branch": "feature_x",
            "restore": {"db": "extract"},
            "mounts": {},
            "shared": [],
            "owner": "claudia",
            "ttl_s": None,
        }
    ]


def test_with_a_token_the_owner_is_left_to_the_daemon_that_knows_whose_it_is(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "claudia")
    monkeypatch.setenv("GREENROOM_TOKEN", "grt_x")
    run("create --branch tok")
    run("create --branch tok --owner berta")
    monkeypatch.setenv("GREENROOM_TOKEN", "")
    run("create --branch tok")
    assert [each["owner"] for each in daemon.bodies("/v1/operations")] == [None, "berta", "claudia"]


def test_a_shared_create_sends_its_types_and_no_branch(daemon: FakeDaemon, run: Run) -> None:
    assert run("create --shared metrics inventory=2").code == 0
    (body,) = daemon.bodies("/v1/operations")
    assert (body["shared"], body["machines"], body["branch"]) == (
        ["metrics", "inventory=2"],
        [],
        None,
    )


def test_create_without_words_asks_for_the_default_of_everything(
    daemon: FakeDaemon, run: Run
) -> None:
    assert run("create").code == 0
    (body,) = daemon.bodies("/v1/operations")
    assert (body["machines"], body["branch"], body["restore"]) == ([], None, {})


def test_a_mount_is_absolute_before_it_reaches_the_daemon(
    daemon: FakeDaemon, run: Run, tmp_path: Path
) -> None:
    run("create --mount backend=../src --mount db=~/x")
    (body,) = daemon.bodies("/v1/operations")
    home = os.path.expanduser("~")  # noqa: PTH111
    assert body["mounts"] == {"backend": str(tmp_path.parent / "src"), "db": f"{home}/x"}


def test_the_blueprint_is_found_in_a_parent_and_by_name(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "other.yaml").write_text("")
    monkeypatch.chdir(below)
    run("create")
    run("create -f other.yaml")
    first, second = daemon.bodies("/v1/operations")
    assert first["blueprint"] == str(tmp_path / "greenroom.yaml")
    assert second["blueprint"] == str(below / "other.yaml")


def test_a_blueprint_that_is_not_there_is_said_before_anything_else(
    daemon: FakeDaemon, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "greenroom.yaml").unlink()
    ran = run("create")
    assert ran.code == 1
    assert f"error E_BLUEPRINT_MISSING: there is no greenroom.yaml in {tmp_path}" in ran.err
    assert run("create -f nope.yaml").err.splitlines() == [
        "error E_BLUEPRINT_MISSING: there is no blueprint file nope.yaml",
        "→ docs/blueprint.md tells how to write one; greenroom schema prints its schema",
    ]
    (tmp_path / "sub").mkdir()
    assert run("create -f sub").err.splitlines() == [
        "error E_BLUEPRINT_MISSING: sub is a folder, not a blueprint",
        "→ name the file in it: --file sub/greenroom.yaml",
    ]
    assert daemon.requests == []


def test_off_a_terminal_create_prints_one_line_per_finished_phase(
    daemon: FakeDaemon, run: Run
) -> None:
    ran = run(SEED)
    assert "\x1b" not in ran.out + ran.err
    assert [line.split() for line in ran.err.splitlines()] == [
        ["✓", "network", "12", "ms"],
        ["·", "backend1", "the", "default", "branch's", "artifact"],
        ["✓", "backend1", "deploy", "214", "ms"],
    ]


def test_create_ends_with_url_verdict_time_age_and_next_commands(
    daemon: FakeDaemon, run: Run
) -> None:
    assert run(SEED).out.splitlines() == [
        "",
        "photos/feature-x is proved in 840 ms",
        "",
        f"  {values.URL}",
        "",
        "  data  db1: extract, 16 hours old; cloned in 14 ms, restored cold in 12.40 s, "
        "verified in 3.10 s",
        "  code  backend1: backend-feature_x.tar.gz",
        "  next  greenroom show photos/feature-x",
        "  next  greenroom flows photos/feature-x",
        "  next  greenroom shell photos/feature-x backend1",
        "  next  greenroom destroy photos/feature-x",
    ]


def test_create_tells_at_its_end_until_when_the_environment_lives(
    daemon: FakeDaemon, run: Run
) -> None:
    end = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
    detail = values.detail(summary=values.environment(expires_at=end))
    daemon.answer("GET", ONE, values.dumped(detail))
    (line,) = (each for each in run(SEED).out.splitlines() if each.startswith("  ends"))
    assert line.startswith("  ends  in ")
    assert line.endswith(" days, at 2099-01-02 03:04 UTC")


def test_create_in_json_streams_events_and_ends_with_the_environment(
    daemon: FakeDaemon, run: Run
) -> None:
    ran = run(f"{SEED} --json")
    assert ran.err == ""
    assert ran.lines[:-1] == values.events()
    assert ran.lines[-1] == {"environment": values.dumped(values.detail())}


@pytest.mark.parametrize("exit_code", [1, 2, 3, 4])
def test_the_result_event_decides_the_exit_code(
    daemon: FakeDaemon, run: Run, exit_code: int
) -> None:
    failed = values.result(
        1,
        OperationStatus.FAILED,
        code="E_AGENT",
        message="db1: the dump is truncated",
        hint="fetch it again",
        exit_code=exit_code,
    )
    daemon.answer("GET", EVENTS, lines=[failed])
    ran = run(SEED)
    assert ran.code == exit_code
    assert "error E_AGENT: db1: the dump is truncated\n→ fetch it again\n" in ran.err
    in_json = run(f"{SEED} --json")
    assert in_json.code == exit_code
    assert in_json.error == {
        "code": "E_AGENT",
        "message": "db1: the dump is truncated",
        "hint": "fetch it again",
        "faults": [],
    }


def test_what_is_not_proved_is_shown_with_its_evidence(daemon: FakeDaemon, run: Run) -> None:
    claim = Claim(
        subject="db1", claim="restore verified", verdict=Verdict.FAILED, evidence="rows differ"
    )
    leak = values.flow("feed1", "db1", 3306, Reach.OPEN, declared=False, verdict=Verdict.FAILED)
    proof = values.proof(leak, claims=(claim,))
    summary = values.environment(verdict=Verdict.FAILED)
    detail = values.dumped(values.detail(proof=proof, summary=summary))
    daemon.answer("GET", ONE, detail)
    failed = values.result(1, OperationStatus.FAILED, code="E_NOT_PROVED", exit_code=3)
    daemon.answer("GET", EVENTS, lines=[failed])
    ran = run(SEED)
    assert ran.code == 3
    assert "photos/feature-x is failed in 840 ms" in ran.out
    assert "  failed: db1: restore verified (rows differ)" in ran.out
    assert "  failed: 1 flow; see greenroom flows photos/feature-x" in ran.out


def test_all_faults_of_a_blueprint_are_printed_with_their_places(
    daemon: FakeDaemon, run: Run
) -> None:
    faults = [
        {"file": "greenroom.yaml", "line": 3, "column": 5, "path": "machines.db", "message": "a"},
        {"file": "greenroom.yaml", "line": 9, "column": 1, "path": "images", "message": "b"},
    ]
    refused = problem(422, "E_BLUEPRINT", "2 faults", hint="mend them", faults=faults)
    daemon.routes["POST", "/v1/operations"] = refused
    ran = run(SEED)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.splitlines() == [
        "error E_BLUEPRINT: 2 faults",
        "  greenroom.yaml:3:5: machines.db: a",
        "  greenroom.yaml:9:1: images: b",
        "→ mend them",
    ]
    assert run(f"{SEED} --json").error["faults"] == faults


def test_detach_prints_the_operation_and_leaves(daemon: FakeDaemon, run: Run) -> None:
    ran = run("create --detach")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "operation op-1 creates photos/feature-x",
        "→ greenroom show photos/feature-x tells where it stands; "
        "greenroom logs -f photos/feature-x follows it",
    ]
    assert daemon.count("GET", EVENTS) == 0
    assert run("create --detach --json").json == values.dumped(values.operation())


def test_a_stream_that_breaks_is_taken_up_where_it_broke(daemon: FakeDaemon, run: Run) -> None:
    def piecewise(request: Any) -> Answer:
        after = int(request.query["after"][0])
        return Answer(lines=values.events()[after : after + 2], chunked=True)

    daemon.routes["GET", EVENTS] = piecewise
    ran = run(f"{SEED} --json")
    assert ran.code == 0
    assert ran.lines[:-1] == values.events()


def test_a_stream_that_never_ends_well_is_given_up(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", EVENTS, lines=[])
    ran = run(SEED)
    assert ran.code == 1
    assert "error E_EVENTS_BROKEN: the events of operation op-1 ended without a result" in ran.err
    assert daemon.count("GET", EVENTS) == 5


def test_a_hostile_message_reaches_the_terminal_as_text(daemon: FakeDaemon, run: Run) -> None:
    events = [
        values.event(1, EventKind.NOTICE, message="\x1b]0;pwned\x07hello\x1b[2J"),
        values.result(
            2, OperationStatus.FAILED, code="E_X", message="bad\x1b[31m\nnews", exit_code=1
        ),
    ]
    daemon.answer("GET", EVENTS, lines=events)
    ran = run(SEED)
    assert "\x1b" not in ran.err
    assert "hello" in ran.err
    assert "error E_X: bad\n  news" in ran.err


def test_plan_prints_the_stack_and_asks_nobody(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    blueprint = Path(__file__).parents[2] / "examples/photos/greenroom.yaml"
    words = f"{SEED.replace('create', 'plan')} -f {blueprint}"
    ran = run(words)
    assert ran.code == 0, ran.err
    for part in ("photos/feature-x", "10.213.0.10", "3306/tcp  backend", "role=db", values.URL):
        assert part in ran.out
    stack = run(f"{words} --json").json
    assert stack["branch"] == "feature_x"
    assert [machine["name"] for machine in stack["machines"]] == ["backend1", "db1", "feed1"]
    assert not region.run_dir.exists()


def test_plan_refuses_what_the_blueprint_does_not_know(region: Region, run: Run) -> None:
    blueprint = Path(__file__).parents[2] / "examples/photos/greenroom.yaml"
    ran = run(f"plan --machines bakend -f {blueprint}")
    assert ran.code == 1
    assert ran.out == ""
    assert "did you mean 'backend'?" in ran.err


def test_plan_refuses_a_mount_that_is_not_there_as_create_does(region: Region, run: Run) -> None:
    blueprint = Path(__file__).parents[2] / "examples/photos/greenroom.yaml"
    ran = run(f"plan --mount backend=/nonexistent -f {blueprint}")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "error E_MOUNT: --mount backend=/nonexistent: there is no such folder",
        "→ give the folder that holds the code",
    ]


def test_schema_prints_the_schema(run: Run) -> None:
    schema = run("schema").json
    assert "machines" in schema["properties"]
    assert run("schema --json").json == schema
