"""Every command against a daemon with canned answers, in this process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import cli_values as values
import click
import pytest
from cli_daemon import ONE, Answer, FakeDaemon, Request, problem, running

from greenroom.cli.commands import exec as exec_module
from greenroom.cli.commands import shell as shell_module
from greenroom.cli.group import cli
from greenroom.cli.inside import command_argv
from greenroom.cli.main import main
from greenroom.cli.table import COMMANDS, first_page
from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.proof import Claim, Reach, Verdict
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.stack import Protocol
from greenroom.model.timings import TimedKind, Timing
from greenroom.model.views import EnvironmentStatus
from greenroom.model.visits import Seen
from greenroom.region import Region

SEED = "create --machines backend db feed --restore_db extract --branch feature_x"
EVENTS = f"/v1/operations/{values.OPERATION}/events"


@dataclass(frozen=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        (line,) = self.err.splitlines()
        return json.loads(line)["error"]


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Region:
    monkeypatch.setattr(Region, "run_dir", property(lambda self: tmp_path / "run"))
    monkeypatch.setattr(Region, "state_dir", property(lambda self: tmp_path / "lib"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greenroom.yaml").write_text("stack: photos\n")
    return Region.from_environment()


@pytest.fixture
def daemon(region: Region) -> Iterator[FakeDaemon]:
    with running(region.socket_path) as fake:
        fake.answer("GET", "/v1/environments", [values.dumped(values.environment())])
        fake.answer("GET", ONE, values.dumped(values.detail()))
        fake.answer("POST", "/v1/operations", values.dumped(values.operation()), status=202)
        fake.answer("GET", EVENTS, lines=values.events())
        yield fake


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_words(*words: str) -> Ran:
        with pytest.raises(SystemExit) as exit_:
            main(words[0].split() if len(words) == 1 else words)
        captured = capfd.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ran(code=exit_.value.code, out=captured.out, err=captured.err)

    return run_words


# Naming an environment.


AMBIGUOUS = problem(422, "E_AMBIGUOUS", "'feature_x' may be any of videos/…, photos/…")


def of_two_stacks(answer: Any, **more: Any) -> Callable[[Request], Answer]:
    """A daemon with two environments of that branch, of which one is of the stack photos."""

    def answered(request: Request) -> Answer:
        (name,) = request.query.get("name") or [request.body["environment"]]
        return Answer(value=answer, **more) if name == "photos/feature_x" else AMBIGUOUS

    return answered


@pytest.mark.parametrize(
    ("words", "method", "path"),
    [
        ("show feature_x --json", "GET", "/v1/lookup"),
        ("cancel feature_x", "GET", "/v1/lookup"),
        ("flows feature_x", "GET", "/v1/lookup"),
        ("exec --json feature_x db1 -- id", "GET", "/v1/lookup"),
        ("logs feature_x", "GET", "/v1/lookup"),
        ("deploy feature_x", "POST", "/v1/operations"),
        ("recover feature_x", "POST", "/v1/operations"),
        ("replace feature_x --stateless", "POST", "/v1/operations"),
        ("drill feature_x", "POST", "/v1/operations"),
        ("destroy feature_x", "POST", "/v1/operations"),
    ],
)
@pytest.mark.parametrize(
    "line", ["stack: photos", "stack: 'photos'  # ours", "machines: [\nstack: photos"]
)
def test_a_short_name_that_two_stacks_share_is_the_one_of_the_blueprint_here(
    daemon: FakeDaemon, run: Run, tmp_path: Path, words: str, method: str, path: str, line: str
) -> None:
    (tmp_path / "greenroom.yaml").write_text(f"{line}\nzone: example.org\n")
    answers = {
        "/v1/lookup": {"name": "photos/feature-x"},
        "/v1/operations": values.dumped(values.operation()),
    }
    daemon.answer("POST", f"{ONE}/flows", values.dumped(values.proof()))
    daemon.answer("GET", f"{ONE}/command", {"argv": ["true"]})
    daemon.answer("GET", f"{ONE}/logs", lines=[])
    daemon.routes[method, path] = of_two_stacks(answers[path])
    ran = run(words)
    assert "E_AMBIGUOUS" not in ran.err
    asked = [r for r in daemon.requests if (r.method, r.path) == (method, path)]
    assert [(r.query.get("name") or [r.body["environment"]])[0] for r in asked[:2]] == [
        "feature_x",
        "photos/feature_x",
    ]


@pytest.mark.parametrize("blueprint", [None, "stack: videos\n", "stack: [\n", "\udcff"])
def test_a_short_name_stays_ambiguous_where_no_blueprint_decides(
    daemon: FakeDaemon, run: Run, tmp_path: Path, blueprint: str | None
) -> None:
    def answered(request: Request) -> Answer:
        nobody = problem(422, "E_NO_ENVIRONMENT", "there is no environment")
        return AMBIGUOUS if request.query["name"] == ["feature_x"] else nobody

    daemon.routes["GET", "/v1/lookup"] = answered
    (tmp_path / "greenroom.yaml").unlink()
    if blueprint is not None:
        content = blueprint.encode("utf-8", "surrogateescape")
        (tmp_path / "greenroom.yaml").write_bytes(content)
    ran = run("show feature_x")
    assert ran.code == 1
    assert ran.err == "error E_AMBIGUOUS: 'feature_x' may be any of videos/…, photos/…\n"


def test_a_cancel_of_what_is_ready_suggests_no_destroy(daemon: FakeDaemon, run: Run) -> None:
    assert run("cancel feature_x").err.splitlines() == [
        "error E_NOTHING_RUNS: nothing runs on photos/feature-x: it is ready",
        "→ greenroom list shows what runs on which environment",
    ]


# The group.


def test_the_table_says_what_each_command_says_of_itself() -> None:
    context = cli.make_context("greenroom", ["list"])
    for name, entry in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        if not entry.hidden:
            assert command.get_short_help_str(200) == entry.summary, name


def test_every_command_takes_json() -> None:
    context = cli.make_context("greenroom", ["list"])
    # What ssh and sshd start speaks their protocol on its standard streams.
    for name in COMMANDS.keys() - {"ssh-proxy", "ssh-session"}:
        command = cli.get_command(context, name)
        leaves = list(getattr(command, "commands", {"": command}).values())
        for leaf in leaves:
            assert any("--json" in param.opts for param in leaf.params), name


def test_every_command_has_help(run: Run) -> None:
    for name in COMMANDS:
        assert run(f"{name} --help").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("lst", "No such command 'lst'. Did you mean 'list'?"),
        ("list --nonsense", "No such option '--nonsense'."),
        ("list extra", "Got unexpected extra argument (extra)"),
        ("show a b", "Got unexpected extra argument (b)"),
        ("create --branch", "Option '--branch' requires an argument."),
        ("create --machines", "--machines has no machine type after it"),
        ("create --shared", "--shared has no machine type after it"),
        ("create --restore db", "--restore 'db': expected NAME=VALUE"),
        ("create --mount backend", "--mount 'backend': expected NAME=VALUE"),
        ("shell feature-x", "Missing argument 'MACHINE'."),
        ("exec feature-x backend1", "there is no command to run in backend1"),
        ("completion tcsh", "Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    region: Region, run: Run, words: str, message: str
) -> None:
    ran = run(words)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(f"error E_USAGE: {message}")
    in_json = run(words.replace(" ", " --json ", 1) if " " in words else f"--json {words}")
    assert in_json.code == 2
    assert in_json.out == ""
    assert in_json.error["code"] == "E_USAGE"


def test_no_command_at_all_prints_the_help_and_is_a_usage_error(run: Run) -> None:
    ran = run()
    assert ran.code == 2
    assert ran.out == ""
    assert "Boot a branch" in ran.err


# create.


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


# plan and schema.


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


# list, show, open.


def test_list_prints_a_line_per_environment(daemon: FakeDaemon, run: Run) -> None:
    both = [values.environment("master"), values.environment(url=None)]
    daemon.answer("GET", "/v1/environments", [values.dumped(each) for each in both])
    head, first, second = run("list").out.splitlines()
    assert head.split()[:4] == ["ENVIRONMENT", "BRANCH", "STATUS", "VERDICT"]
    assert "photos/master" in first
    assert "(production)" in first
    assert second.split()[:4] == ["photos/feature-x", "feature_x", "ready", "proved"]
    assert run("list --json").json == [values.dumped(each) for each in both]


def test_a_shared_environment_shows_no_branch(daemon: FakeDaemon, run: Run) -> None:
    shared = values.environment("shared", branch="master", url=None, machines=("metrics1",))
    daemon.answer("GET", "/v1/environments", [values.dumped(shared)])
    daemon.answer("GET", ONE, values.dumped(values.detail(summary=shared)))
    _, line = run("list").out.splitlines()
    assert line.split()[:4] == ["photos/shared", "(shared)", "ready", "proved"]
    page = run("show shared").out.splitlines()
    assert page[1] == "  shared   by every environment of its stack"
    assert not any("master" in line for line in page)


def test_list_of_nothing_says_so(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", "/v1/environments", [])
    assert run("list").out == "there is no environment; greenroom create boots one\n"
    assert run("list --json").out == "[]\n"


@pytest.mark.parametrize("command", ["show", "open", "logs", "flows"])
def test_the_only_environment_need_not_be_named(daemon: FakeDaemon, run: Run, command: str) -> None:
    daemon.answer("POST", f"{ONE}/flows", values.dumped(values.proof()))
    daemon.answer("GET", f"{ONE}/logs", lines=[])
    assert run(command).code == 0
    (asked,) = [each for each in daemon.requests if each.path == "/v1/lookup"]
    assert asked.query["name"] == ["photos/feature-x"]


@pytest.mark.parametrize("command", ["show", "open", "logs", "flows"])
def test_where_several_could_be_meant_their_names_are_listed(
    daemon: FakeDaemon, run: Run, command: str
) -> None:
    both = [values.environment("master"), values.environment()]
    daemon.answer("GET", "/v1/environments", [values.dumped(each) for each in both])
    ran = run(command)
    assert ran.code == 2
    expected = "error E_WHICH_ENVIRONMENT: there are 2 environments: photos/master, photos/feature"
    assert ran.err.startswith(expected)
    daemon.answer("GET", "/v1/environments", [])
    assert run(command).err.startswith("error E_NO_ENVIRONMENT: there is no environment")


def test_show_prints_machines_phases_restores_and_claims(daemon: FakeDaemon, run: Run) -> None:
    out = run("show feature_x").out
    looked_up, asked = daemon.requests
    assert (looked_up.query, asked.path) == ({"name": ["feature_x"]}, ONE)
    rows = [line.split() for line in out.splitlines()]
    assert ["photos/feature-x", "ready", "proved"] in rows
    assert ["created", "3", "hours", "ago,", "in", "840", "ms"] in rows
    assert ["deploy", "backend1", "214", "ms", "unpacked"] in rows
    restore = "db1 extract clone 16 hours 12.40 s 3.10 s 14 ms 1 table, 2000 rows"
    assert restore.split() in rows
    assert ["users", "db1", "2000", "0123456789abcdef"] in rows
    assert ["db1", "healthy", "proved", "tcp", "3306", "answers"] in rows
    assert run("show --json").json == values.dumped(values.detail())


def test_show_of_an_environment_in_the_making_says_what_is_open(
    daemon: FakeDaemon, run: Run
) -> None:
    bare = values.detail(machines=(), phases=(), restores=(), proof=None, create_s=None, urls=())
    daemon.answer("GET", ONE, values.dumped(bare))
    assert "proof: not verified yet" in run("show").out


def test_open_prints_the_url(daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run("open").out == f"{values.URL}\n"
    assert run("open --json").json == {"url": values.URL, "urls": [values.URL]}


def test_on_a_desktop_open_opens_the_browser(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    opener = tmp_path / "xdg-open"
    os.mkfifo(opened)
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    assert run("open").out == f"{values.URL}\n"
    assert opened.read_text() == f"{values.URL}\n"


def test_open_without_an_endpoint_is_an_error(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", ONE, values.dumped(values.detail(urls=())))
    ran = run("open")
    assert ran.code == 1
    assert ran.err.startswith("error E_NO_URL: photos/feature-x has no endpoint")


# logs and flows.


def test_logs_are_prefixed_with_machine_and_service(daemon: FakeDaemon, run: Run) -> None:
    lines = [
        {"machine": "db1", "service": "mariadb", "line": "ready \x1b[1mnow"},
        {"machine": "backend1", "service": "nginx", "line": "GET /"},
    ]
    daemon.answer("GET", f"{ONE}/logs", lines=lines)
    ran = run("logs feature-x --machine db1 --service mariadb -f")
    assert ran.out.splitlines() == [
        "db1/mariadb | ready \x1b[1mnow",
        "backend1/nginx | GET /",
    ]
    assert daemon.requests[-1].query == {
        "machine": ["db1"],
        "service": ["mariadb"],
        "follow": ["1"],
    }
    assert run("logs --json").lines == lines


def test_flows_are_a_matrix_and_exit_0_when_proved(daemon: FakeDaemon, run: Run) -> None:
    proof = values.dumped(values.proof())
    daemon.answer("POST", f"{ONE}/flows", proof)
    ran = run("flows feature-x")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "          backend1:80  db1:3306",
        "outside   ● open       · filtered",
        "backend1               ● open",
        "",
        "● declared   · not declared   ! failed   ? not verified",
        "the environment is proved: 3 of 3 flows proved",
    ]
    assert run("flows --json").json == {"verdict": "proved", **proof}


def test_a_leak_is_marked_and_exits_with_3(daemon: FakeDaemon, run: Run) -> None:
    leak = values.flow("feed1", "db1", 3306, Reach.OPEN, declared=False, verdict=Verdict.FAILED)
    silent = values.flow(
        "feed1", "db1", 53, Reach.SILENT, verdict=Verdict.NOT_VERIFIED, protocol=Protocol.UDP
    )
    proof = values.dumped(values.proof(leak, silent))
    daemon.answer("POST", f"{ONE}/flows", proof)
    ran = run("flows")
    assert ran.code == 3
    assert "· open !" in ran.out
    assert "db1:53/udp" in ran.out
    assert "· silent ?" in ran.out
    assert "the environment is failed: 3 of 5 flows proved" in ran.out
    assert ran.err.startswith("error E_NOT_PROVED: the environment is failed")
    in_json = run("flows --json")
    assert (in_json.code, in_json.json["verdict"]) == (3, "failed")


# deploy and destroy.


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


# exec and shell.


def executed(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[list[str]]:
    seen: list[list[str]] = []

    def become(argv: list[str]) -> None:
        seen.append(argv)
        raise SystemExit(7)

    monkeypatch.setattr(module, "become", become)
    return seen


@pytest.mark.parametrize("separator", [[], ["--"]])
def test_exec_passes_every_word_on_and_becomes_the_command(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch, separator: list[str]
) -> None:
    seen = executed(monkeypatch, exec_module)
    daemon.answer("GET", f"{ONE}/command", {"argv": ["crun", "exec"]})
    ran = run("exec", "feature_x", "backend1", *separator, "ls", "-l", "--json", "--help")
    assert ran.code == 7
    assert seen == [["crun", "exec"]]
    query = daemon.requests[-1].query
    assert query["arg"][-6:] == ["feature_x", "backend1", "ls", "-l", "--json", "--help"]
    assert (query["machine"], query["tty"]) == (["backend1"], ["0"])
    (asked,) = [each for each in daemon.requests if each.path == "/v1/lookup"]
    assert asked.query["name"] == ["feature_x"]


def test_exec_in_json_captures_and_keeps_the_exit_code(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer(
        "GET",
        f"{ONE}/command",
        {"argv": ["sh", "-c", "echo out; echo err >&2; exit 42"]},
    )
    ran = run("exec --json feature_x backend1 -- true")
    assert ran.code == 42
    assert ran.json == {"exit_code": 42, "stdout": "out\n", "stderr": "err\n"}
    daemon.answer("GET", f"{ONE}/command", {"argv": ["sh", "-c", "kill -9 $$"]})
    assert run("exec --json feature_x backend1 -- true").code == 137


def test_a_command_that_cannot_be_run_ends_as_a_shell_would(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("not executable")
    for words, code, said in (
        (["nosuchcmd"], 127, "cannot run nosuchcmd: not found in $PATH ("),
        (["/nonexistent/cmd", "x"], 127, "cannot run /nonexistent/cmd: there is no such file\n"),
        ([str(data)], 126, f"cannot run {data}: {data} is not executable\n"),
        (["data"], 126, f"cannot run data: {data} is not executable\n"),
        (["/"], 126, "cannot run /: / is not executable\n"),
        (["sh", "-c", "exit 255"], 255, ""),
        (["printf", "%s|", "a b", "*", "$PATH"], 0, ""),
    ):
        done = subprocess.run(
            command_argv("photos/x", "db1", words),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        assert done.returncode == code, words
        if said:
            assert done.stderr.startswith(f"error E_COMMAND: db1: {said}")
            assert "→ greenroom shell photos/x db1 shows what the machine has\n" in done.stderr
        else:
            assert done.stderr == ""
        assert done.stdout == ("a b|*|$PATH|" if words[0] == "printf" else "")


def test_a_missing_runtime_is_an_error_and_no_traceback(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", f"{ONE}/command", {"argv": ["/nonexistent/crun"]})
    for words in ("exec e m true", "exec --json e m true", "shell e m"):
        ran = run(words)
        assert ran.code == 1
        assert "/nonexistent/crun cannot be run" in ran.err


@pytest.mark.parametrize("name", ["shell", "ssh"])
def test_shell_and_ssh_open_the_machines_shell(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    seen = executed(monkeypatch, shell_module)
    daemon.answer("GET", f"{ONE}/command", {"argv": ["crun", "exec"]})
    assert run(f"{name} feature_x backend1").code == 7
    assert seen == [["crun", "exec"]]
    assert daemon.requests[-1].query["arg"][0] == "/bin/sh"
    assert run(f"{name} feature_x backend1 --json").json == {"argv": ["crun", "exec"]}


# image.


def test_images_are_listed_built_and_removed(daemon: FakeDaemon, run: Run, tmp_path: Path) -> None:
    image = {"name": "web", "digest": "ab" * 32, "bytes": 3 << 20, "built_at": "2026-01-01T00:00Z"}
    daemon.answer("GET", "/v1/images", [image])
    head, line = run("image list").out.splitlines()
    assert head.split() == ["IMAGE", "DIGEST", "SIZE", "BUILT"]
    assert line.split()[:4] == ["web", "abababababab", "3", "MiB"]
    assert run("image list --json").json == [image]

    build = [
        values.event(1, EventKind.PHASE_DONE, phase="images", seconds=2.5, message="web"),
        values.result(2, message="1 image built"),
    ]
    daemon.answer("POST", "/v1/images/build", lines=build)
    ran = run("image build web")
    assert (ran.code, ran.out) == (0, "1 image built\n")
    assert ran.err.split() == ["✓", "images", "2.50", "s", "web"]
    expected = {"blueprint": str(tmp_path / "greenroom.yaml"), "names": ["web"]}
    assert daemon.bodies("/v1/images/build") == [expected]
    assert run("image build --json").lines == build

    daemon.answer("DELETE", f"/v1/images/{'ab' * 32}", {"removed": ["web"]})
    assert run("image remove abab").out == "removed 1 image: web\n"
    assert run("image remove abab --json").json == {"removed": ["web"]}


def test_an_image_is_removed_only_by_what_begins_its_digest_alone(
    daemon: FakeDaemon, run: Run
) -> None:
    both = [
        {"name": "web", "digest": digest, "bytes": 1, "built_at": "2026-01-01T00:00Z"}
        for digest in ("abc0", "abc1")
    ]
    daemon.answer("GET", "/v1/images", both)
    daemon.answer("DELETE", "/v1/images/abc1", {"removed": ["abc1"]})
    assert run("image remove abc").err.startswith("error E_WHICH_IMAGE: 2 digests begin with abc")
    for words in (["../x"], [""], ["web"]):
        assert run("image", "remove", *words).code == 2
    assert not any(each.method == "DELETE" for each in daemon.requests)
    assert run("image remove abc1").code == 0


def test_the_documentation_has_every_command() -> None:
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    assert [name for name in COMMANDS if f"`{name}" not in page] == []


def test_a_failed_build_fails(daemon: FakeDaemon, run: Run) -> None:
    failed = values.result(
        1, OperationStatus.FAILED, code="E_IMAGE_BUILD", message="no package x", exit_code=1
    )
    daemon.answer("POST", "/v1/images/build", lines=[failed])
    ran = run("image build")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("error E_IMAGE_BUILD: no package x")


# doctor, serve, completion.


def test_doctor_names_the_mend_and_fails(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenroom.providers.local import doctor

    good = doctor.Finding(name="root", ok=True, message="running as root")
    lack = doctor.Finding(name="nft", ok=False, message="missing", mend="apt-get install nftables")
    monkeypatch.setattr(doctor, "diagnose", lambda region: (good,))
    monkeypatch.setattr(doctor, "page_port", lambda region: lack)
    ran = run("doctor")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "✓ root  running as root",
        "✗ nft   missing",
        "        → apt-get install nftables",
    ]
    assert run("doctor --json").json[1] == {
        "name": "nft",
        "ok": False,
        "message": "missing",
        "mend": "apt-get install nftables",
    }
    monkeypatch.setattr(doctor, "page_port", lambda region: good)
    assert run("doctor").code == 0


def test_stopping_what_does_not_run_is_no_error(region: Region, run: Run) -> None:
    assert run("serve --stop").out == "no daemon runs for the region greenroom\n"
    assert run("serve --stop --json").json == {"stopped": False, "pid": None}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_greenroom_back(run: Run, shell: str) -> None:
    ran = run(f"completion {shell}")
    assert ran.code == 0
    assert "_GREENROOM_COMPLETE" in ran.out
    assert run(f"completion {shell} --json").json["shell"] == shell


def completed(run: Run, monkeypatch: pytest.MonkeyPatch, words: str, position: int) -> list[str]:
    monkeypatch.setenv("_GREENROOM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(position))
    return [line.partition(",")[2] for line in run("ignored").out.split()]


def test_completion_knows_commands_options_and_running_environments(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(run, monkeypatch, "greenroom de", 1) == ["deploy", "destroy"]
    assert "--machines" in completed(run, monkeypatch, "greenroom create --ma", 2)
    half = "greenroom create --machines backend --br"
    assert completed(run, monkeypatch, half, 4) == ["--branch"]
    assert completed(run, monkeypatch, "greenroom show fe", 2) == ["feature-x"]


def test_completion_starts_no_daemon(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(run, monkeypatch, "greenroom show fe", 2) == []
    assert not region.run_dir.exists()


# Without a daemon.


def test_without_root_the_daemon_is_not_started_and_the_mend_is_named(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sys.argv", ["greenroom", "create", "--branch", "a b"])
    ran = run("create", "--branch", "a b")
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "error E_NOT_ROOT: greenroom create needs root: "
        "the daemon makes namespaces, mounts and firewall rules",
        "→ sudo greenroom create --branch 'a b'",
    ]
    assert not region.run_dir.exists()


def test_a_socket_that_is_not_ours_asks_for_root(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> bool:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("greenroom.cli.client.accepts", refuse)
    assert run("list --json").error["code"] == "E_NOT_ROOT"
    assert run("serve --stop --json").error["code"] == "E_NOT_ROOT"


@pytest.mark.parametrize("columns", [80, 81, 100, 137])
def test_the_page_without_click_is_what_click_would_write(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    context = click.Context(cli, info_name="greenroom", terminal_width=None)
    context.max_content_width = 100
    assert first_page() == cli.get_help(context)


def test_on_a_narrow_terminal_the_page_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert first_page() is None


ORPHAN = {
    "environment": "photos/old",
    "ended": False,
    "resources": [{"kind": "cgroup", "name": "/greenroom/photos.old"}],
}
STRANGER = {"environment": None, "ended": False, "resources": [{"kind": "cgroup", "name": "/x/y"}]}


def test_doctor_lists_orphans_and_fails(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", "/v1/orphans", [ORPHAN, STRANGER])
    ran = run("doctor --orphans")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "OF          KIND    NAME",
        "photos/old  cgroup  /greenroom/photos.old",
        "(nobody)    cgroup  /x/y",
        "→ greenroom doctor --orphans --remove removes what bears an environment's name",
        "what is (nobody)'s names no environment: greenroom does not touch it",
    ]
    assert run("doctor --orphans --json").json == [ORPHAN, STRANGER]


def test_doctor_removes_only_orphans_that_have_a_name(daemon: FakeDaemon, run: Run) -> None:
    left = [ORPHAN, STRANGER]
    daemon.routes["GET", "/v1/orphans"] = lambda _: Answer(value=list(left))

    def removed(request: Request) -> Answer:
        left.remove(ORPHAN)
        receipt = {"environment": "photos/old", "removed": ORPHAN["resources"], "left_over": []}
        return Answer(value=receipt | {"seconds": 0.1})

    daemon.routes["DELETE", "/v1/orphans/photos/old"] = removed
    ran = run("doctor --orphans --remove")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "photos/old: 1 thing removed")
    left.clear()
    ran = run("doctor --orphans --remove")
    assert (ran.code, ran.out) == (0, "the host holds nothing that no environment owns\n")


def test_doctor_removes_nothing_unless_orphans_are_meant(daemon: FakeDaemon, run: Run) -> None:
    ran = run("doctor --remove")
    assert ran.code == 2
    assert daemon.requests == []


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


def test_show_and_list_tell_owner_end_and_stop(daemon: FakeDaemon, run: Run) -> None:
    soon = values.NOW + timedelta(minutes=50, seconds=30)
    view = values.environment(
        status=EnvironmentStatus.STOPPED,
        expires_at=soon,
        warned_at=values.NOW,
        stopped_at=values.NOW - timedelta(hours=2, minutes=1),
    )
    daemon.answer("GET", "/v1/environments", [values.dumped(view)])
    daemon.answer("GET", ONE, values.dumped(values.detail(summary=view)))
    out = run("list").out
    assert "claudia" in out and "soon: in " in out and "stopped" in out
    shown = run("show feature_x").out
    assert "  owner    claudia\n" in shown
    assert "UTC; greenroom extend photos/feature-x keeps it\n" in shown
    assert "  stopped  2 hours ago; greenroom start photos/feature-x boots it" in shown
