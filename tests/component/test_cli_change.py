"""greenroom deploy, replace, drill, destroy, extend, stop and start."""

from __future__ import annotations

from typing import Any

import pytest
from tests.component.cli_daemon import FakeDaemon, problem
from tests.component.cli_stage import EVENTS, Run
from tests.unit import cli_values as values

from greenroom.model.events import OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.timings import TimedKind, Timing
from greenroom.model.visits import Seen


def test_deploy_names_its_types_and_says_what_runs_now(daemon: FakeDaemon, run: Run) -> None:
    ran = run("deploy feature-x backend")
    assert ran.code == 0
    assert daemon.bodies("/v1/operations") == [
        {"kind": "deploy", "environment": "feature-x", "types": ["backend"]}
    ]
    assert ran.out.splitlines() == [
        "photos/feature-x is deployed and proved",
        "  backend1: backend-feature_x.tar.gz",
    ]


def destroyed(daemon: FakeDaemon, *left_over: Resource) -> None:
    done = values.operation("destroy", receipt=values.receipt(*left_over))
    daemon.answer("GET", f"/v1/operations/{values.OPERATION}", values.dumped(done))
    daemon.answer("GET", EVENTS, lines=[values.result(1)])


TIMINGS = f"/v1/operations/{values.OPERATION}/timings"


def timed(**more: Any) -> Any:
    fields: dict[str, Any] = {
        "at": values.NOW,
        "operation": values.OPERATION,
        "environment": "photos/feature-x",
        "stack": "photos",
        "kind": TimedKind.REPLACE,
        "machine": "backend1",
        "restore_s": None,
        "boot_s": 0.364,
        "total_s": 0.83,
        "verdict": Verdict.PROVED,
    }
    return values.dumped(Timing(**(fields | more)))


def test_replace_says_how_long_each_machine_took(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", TIMINGS, [timed(), timed(machine="feed1", total_s=1.5, boot_s=None)])
    ran = run("replace feature-x backend1 feed1 --confirm feature-x")
    assert ran.code == 0
    assert daemon.bodies("/v1/operations") == [
        {
            "kind": "replace",
            "environment": "feature-x",
            "machines": ["backend1", "feed1"],
            "stateless": False,
            "confirm": "feature-x",
        }
    ]
    assert ran.out.splitlines() == [
        "MACHINE   AS EXPECTED AFTER  BOOT    VERDICT",
        "backend1  830 ms             364 ms  proved",
        "feed1     1.50 s             -       proved",
        "photos/feature-x is replaced and proved",
    ]


@pytest.mark.parametrize("words", ["replace feature-x", "replace feature-x db1 --stateless"])
def test_replace_wants_either_names_or_stateless(run: Run, words: str) -> None:
    ran = run(words)
    assert (ran.code, ran.err.splitlines()) == (
        2,
        [
            "error E_USAGE: either name machines or say --stateless",
            "→ greenroom show feature-x lists its machines",
        ],
    )


def test_a_drill_says_what_its_client_saw(daemon: FakeDaemon, run: Run) -> None:
    seen = Seen(requests=40, errors=(("503", 5), ("timeout", 1)), longest_gap_s=1.1, slowest_s=0.9)
    part = Seen(requests=3, errors=(), longest_gap_s=None, slowest_s=None, whole=False)
    rows = [timed(kind=TimedKind.DRILL, seen=seen), timed(machine="feed1", seen=part)]
    daemon.answer("GET", TIMINGS, rows)
    ran = run("drill feature-x --throw-away")
    assert daemon.bodies("/v1/operations")[0] == {
        "kind": "drill",
        "environment": "feature-x",
        "throw_away": True,
        "confirm": None,
    }
    assert ran.out.splitlines()[:3] == [
        "MACHINE   AS EXPECTED AFTER  BOOT    REQUESTS     ERRORS                GAP     VERDICT",
        "backend1  830 ms             364 ms  40           5 (503), 1 (timeout)  1.10 s  proved",
        "feed1     830 ms             364 ms  3 (in part)  none                  -       proved",
    ]


def test_a_drill_says_what_each_restore_took(daemon: FakeDaemon, run: Run) -> None:
    row = timed(kind=TimedKind.DRILL, machine="db-drill", restore_s=7.4, boot_s=7.83, total_s=8.24)
    daemon.answer("GET", TIMINGS, [row])
    assert run("drill feature-x").out.splitlines() == [
        "DRILL     RESTORED COLD  BOOT    IN ALL  VERDICT",
        "db-drill  7.40 s         7.83 s  8.24 s  proved",
        "photos/feature-x is drilled and proved",
    ]
    as_json = run("drill feature-x --json")
    assert as_json.lines[-1]["timings"] == [row]


def test_what_failed_is_told_with_what_it_took(daemon: FakeDaemon, run: Run) -> None:
    failed = values.result(1, OperationStatus.FAILED, code="E_SIMULATED", exit_code=1)
    daemon.answer("GET", EVENTS, lines=[failed])
    daemon.answer("GET", TIMINGS, [timed(verdict=Verdict.FAILED, boot_s=None)])
    ran = run("replace feature-x --stateless")
    assert ran.code == 1
    assert "backend1  830 ms             -     failed" in ran.out
    assert "is replaced" not in ran.out


@pytest.mark.parametrize("words", ["replace feature-x db1", "drill feature-x"])
def test_what_only_this_host_can_is_refused_on_aws(run: Run, words: str) -> None:
    ran = run(f"{words} --provider aws")
    assert ran.code == 4
    assert ran.err.startswith(f"error E_LOCAL_ONLY: {words.split()[0]} is for this host")


def test_destroy_prints_the_receipt(daemon: FakeDaemon, run: Run) -> None:
    destroyed(daemon)
    ran = run("destroy feature_x")
    assert ran.code == 0
    assert daemon.bodies("/v1/operations") == [
        {"kind": "destroy", "environment": "feature_x", "confirm": None}
    ]
    assert ran.out.splitlines() == [
        "photos/feature-x is gone in 210 ms",
        "  removed    1 mount, 2 network namespaces",
        "  left over  0 left over",
    ]
    assert run("destroy feature_x --json").lines[-1] == {"receipt": values.dumped(values.receipt())}


def test_what_is_left_over_is_named_and_fails(daemon: FakeDaemon, run: Run) -> None:
    destroyed(daemon, Resource(kind=ResourceKind.MOUNT, name="/run/x"))
    ran = run("destroy feature_x")
    assert ran.code == 1
    assert "  left over  1 left over\n    mount /run/x\n" in ran.out
    assert "error E_LEFT_OVER: the host still holds 1 thing of feature_x" in ran.err


def test_off_a_terminal_the_daemon_refuses_production(daemon: FakeDaemon, run: Run) -> None:
    daemon.routes["POST", "/v1/operations"] = problem(
        409, "E_PRODUCTION", "photos/master is production", exit_code=4
    )
    ran = run("destroy master")
    assert ran.code == 4
    assert ran.err.startswith("error E_PRODUCTION: photos/master is production")


def test_a_confirmation_is_passed_on(daemon: FakeDaemon, run: Run) -> None:
    destroyed(daemon)
    run("destroy master --confirm photos/master")
    assert daemon.bodies("/v1/operations")[0]["confirm"] == "photos/master"


def test_extend_says_until_when(daemon: FakeDaemon, run: Run) -> None:
    extension = {
        "environment": "photos/feature-x",
        "expires_at": "2099-01-02T03:04:05+00:00",
        "awake_until": "2099-01-01T08:00:00+00:00",
    }
    daemon.answer("POST", "/v1/environments/photos/feature-x/extend", extension)
    ran = run("extend feature_x 1d12h")
    assert daemon.bodies("/v1/environments/photos/feature-x/extend") == [{"ttl_s": 129600.0}]
    first, second = ran.out.splitlines()
    assert first.startswith("photos/feature-x expires in ")
    assert first.endswith(" days, at 2099-01-02 03:04 UTC")
    assert second == "working hours do not stop it before 2099-01-01 08:00 UTC"
    assert run("extend feature_x --json").json == extension
    assert daemon.bodies("/v1/environments/photos/feature-x/extend")[-1] == {"ttl_s": None}


def test_a_duration_that_is_none_is_a_usage_error(daemon: FakeDaemon, run: Run) -> None:
    for words in ("extend feature_x tomorrow", "create --branch x --ttl 8hours"):
        ran = run(words)
        assert ran.code == 2
        assert "is not a duration; expected one such as 8h, 45m or 1d12h" in ran.err
    assert daemon.requests == []


def test_stop_and_start_say_how_it_stands(daemon: FakeDaemon, run: Run) -> None:
    ran = run("stop feature_x")
    assert (ran.code, daemon.bodies("/v1/operations")[-1]["kind"]) == (0, "stop")
    assert ran.out == (
        "photos/feature-x is stopped; greenroom start photos/feature-x boots it again\n"
    )
    ran = run("start feature_x")
    assert (ran.code, daemon.bodies("/v1/operations")[-1]["kind"]) == (0, "start")
    assert ran.out == "photos/feature-x runs and is proved\n"
