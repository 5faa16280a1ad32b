"""``greenroom job`` against a daemon with canned answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.component.cli_daemon import Answer, FakeDaemon, Request, running
from tests.component.jobs_stage import START, TOKEN, job, option

from greenroom.app.jobs.views import execution_json, view_execution, view_job
from greenroom.cli.main import main
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import ExecutionStatus, Trigger
from greenroom.region import Region
from greenroom.store.executions import ExecutionRecord

ID = "ex0123456789ab"
AGAIN = "exba9876543210"
ROOT = Caller(name="root", grants=(Grant(stack=EVERY_STACK, role=Role.OPERATOR),))
JOB = job(options=(option("date", OptionKind.DATE, default="today"), TOKEN))


def execution(
    status: ExecutionStatus = ExecutionStatus.SUCCEEDED, name: str = ID, **values: Any
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": name,
        "job": JOB,
        "stack": "photos",
        "environment": None,
        "options": {"date": "2026-11-23", "token": "******"},
        "status": status,
        "trigger": Trigger.CALLER,
        "asked_by": "root",
        "created_at": START,
        "not_before": START,
    }
    record = ExecutionRecord(**(fields | values))
    found: dict[str, Any] = json.loads(execution_json(view_execution(record)))
    return found


def line(seq: int, text: str, machine: str | None = None) -> dict[str, Any]:
    return {"seq": seq, "at": START.isoformat(), "machine": machine, "text": text}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    monkeypatch.setattr(Region, "run_dir", property(lambda self: tmp_path / "run"))
    monkeypatch.setattr(Region, "state_dir", property(lambda self: tmp_path / "lib"))
    monkeypatch.chdir(tmp_path)
    with running(Region.from_environment().socket_path) as fake:
        view = json.loads(json.dumps(asdict(view_job(JOB, None, ROOT, START)), default=str))
        fake.answer("GET", "/v1/job", view)
        fake.answer("GET", "/v1/jobs", [view])
        fake.answer("POST", "/v1/executions", execution(ExecutionStatus.QUEUED), status=202)
        fake.answer("GET", f"/v1/executions/{ID}", execution())
        fake.answer("GET", f"/v1/executions/{ID}/log", lines=[line(1, "one"), line(2, "two")])
        yield fake


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_words(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    return run_words


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text("hunter2\n")
    return "token=@token"


def test_a_run_prints_the_log_and_ends_as_the_job_did(
    daemon: FakeDaemon, run: Run, token: str
) -> None:
    code, out, _ = run("job", "run", "count", "date=yesterday", token)

    assert (code, out) == (0, "one\ntwo\n")
    options = {"date": "yesterday", "token": "hunter2"}
    assert daemon.bodies("/v1/executions") == [{"job": "photos/count", "options": options}]


def test_a_failed_job_is_an_error(daemon: FakeDaemon, run: Run, token: str) -> None:
    failed = execution(
        ExecutionStatus.FAILED, exit_code=3, code="E_JOB_FAILED", message="it ended with 3"
    )
    daemon.answer("GET", f"/v1/executions/{ID}", failed)
    code, _, err = run("job", "run", "count", token)
    assert (code, "error E_JOB_FAILED: it ended with 3" in err) == (1, True)


def test_what_tries_again_is_followed_to_its_end(daemon: FakeDaemon, run: Run, token: str) -> None:
    failed = execution(ExecutionStatus.FAILED, code="E_JOB_FAILED", retried_by=AGAIN)
    daemon.answer("GET", f"/v1/executions/{ID}", failed)
    daemon.answer("GET", f"/v1/executions/{AGAIN}", execution(name=AGAIN))
    daemon.answer("GET", f"/v1/executions/{AGAIN}/log", lines=[line(1, "three")])
    code, out, err = run("job", "run", "count", token)

    assert (code, out) == (0, "one\ntwo\nthree\n")
    assert f"trying again as {AGAIN}" in err


def test_json_is_the_log_and_then_the_execution(daemon: FakeDaemon, run: Run, token: str) -> None:
    code, out, err = run("job", "run", "count", token, "--json")
    *lines, last = [json.loads(each) for each in out.splitlines()]
    assert (code, err) == (0, "")
    assert [each["text"] for each in lines] == ["one", "two"]
    assert last == {"execution": execution()}


def test_a_secret_comes_from_stdin(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    assert run("job", "run", "count", "token=@-", "--detach")[0] == 0
    assert daemon.bodies("/v1/executions")[0]["options"] == {"token": "hunter2"}


BAD = [
    (["token=hunter2"], "E_SECRET_ON_COMMAND_LINE", "token is a secret, and a command line can"),
    (["token=@nowhere"], "E_USAGE", "token: nowhere cannot be read"),
    ([], "E_USAGE", "the secret token is missing"),
    (["date"], "E_USAGE", "'date' is not an option's value; expected NAME=VALUE"),
    (["date=1", "date=2"], "E_USAGE", "the option 'date' is given twice"),
]


@pytest.mark.parametrize(("words", "code", "message"), BAD)
def test_wrong_words_are_refused_and_nothing_runs(
    daemon: FakeDaemon, run: Run, words: list[str], code: str, message: str
) -> None:
    exit_code, _, err = run("job", "run", "count", *words)
    assert exit_code == 2
    assert err.startswith(f"error {code}: {message}")
    assert "hunter2" not in err
    assert daemon.bodies("/v1/executions") == []


def test_a_log_names_the_machine_of_each_line_and_is_only_text(
    daemon: FakeDaemon, run: Run
) -> None:
    lines = [line(1, "\x1b]0;x\x07hi", "db1")]
    daemon.answer("GET", f"/v1/executions/{ID}/log", lines=lines)
    assert run("job", "log", ID)[:2] == (0, "db1  hi\n")


def test_list_history_and_show_are_for_people_and_programs(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", "/v1/executions", [execution()])
    shown = run("job", "list")[1]
    assert "photos/count  control plane" in shown
    assert f"{ID}  photos/count  succeeded  root" in run("job", "history")[1]
    assert "date=2026-11-23 token=******" in run("job", "history", "count")[1]
    assert "token   secret  (required)" in run("job", "show", "count")[1]
    assert f"photos/count  succeeded  {ID}" in run("job", "show", ID)[1]
    assert json.loads(run("job", "history", "--json")[1]) == [execution()]


@pytest.mark.parametrize("verb", ["abort", "approve", "reject"])
def test_an_execution_is_decided_on(daemon: FakeDaemon, run: Run, verb: str) -> None:
    path = f"/v1/executions/{ID}/{verb}"
    daemon.routes["POST", path] = Answer(value=execution(ExecutionStatus.QUEUED), status=202)
    assert run("job", verb, ID)[:2] == (0, f"{ID}  photos/count  queued\n")


def test_a_retry_gives_the_secrets_anew(daemon: FakeDaemon, run: Run, token: str) -> None:
    path = f"/v1/executions/{ID}/retry"
    daemon.answer("POST", path, execution(ExecutionStatus.QUEUED, AGAIN), status=202)
    assert run("job", "retry", ID, token, "--detach")[0] == 0
    assert daemon.bodies(path) == [{"options": {"token": "hunter2"}}]


def test_a_daemon_that_goes_away_is_followed_again(
    daemon: FakeDaemon, run: Run, token: str
) -> None:
    asked: list[str] = []

    def log(request: Request) -> Answer:
        asked.append(request.query["after"][0])
        lines = [line(1, "one")] if len(asked) == 1 else [line(2, "two")]
        return Answer(lines=lines)

    states = iter([execution(ExecutionStatus.RUNNING), execution(), execution()])
    daemon.routes["GET", f"/v1/executions/{ID}"] = lambda _: Answer(value=next(states))
    daemon.routes["GET", f"/v1/executions/{ID}/log"] = log

    assert run("job", "run", "count", token)[:2] == (0, "one\ntwo\n")
    assert asked == ["0", "1"]
