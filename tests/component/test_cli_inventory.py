"""``greenroom inventory`` against a daemon with canned answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.component.cli_daemon import Answer, FakeDaemon, Request, running

from greenroom.cli.instant import instant
from greenroom.cli.main import main
from greenroom.errors import UsageError
from greenroom.region import Region

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    monkeypatch.setattr(Region, "run_dir", property(lambda self: tmp_path / "run"))
    monkeypatch.setattr(Region, "state_dir", property(lambda self: tmp_path / "lib"))
    with running(Region.from_environment().socket_path) as fake:
        yield fake


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run_words(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["inventory", *words])
        said = capfd.readouterr()
        code = exit_.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run_words


Run = Callable[..., tuple[int, str, str]]


def machine(name: str, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "environment": "photos/feature-x",
        "name": name,
        "role": "backend",
        "branch": "feature_x",
        "address": "10.213.0.10",
        "health": "healthy",
        "failing": "",
        "since": datetime.now(UTC).isoformat(),
        "image": "web",
        "public_dns": "api.feature-x.photos.localhost",
    }
    stack, _, slug = (values | more)["environment"].partition("/")
    return {"stack": stack, "slug": slug} | values | more


def test_the_list_has_a_line_for_each_machine_of_every_page(daemon: FakeDaemon, run: Run) -> None:
    sick = machine("db1", health="unhealthy", failing="port 3306\x1b[2J", public_dns=None)

    def page(request: Request) -> Answer:
        if "after" not in request.query:
            return Answer(value={"machines": [machine("backend1")], "next": "photos/x/backend1"})
        return Answer(value={"machines": [sick], "next": None})

    daemon.routes["GET", "/v1/inventory"] = page
    code, out, _ = run("--branch", "feature_x", "--role", "backend")
    head, first, second = out.splitlines()
    assert code == 0
    assert head.startswith("MACHINE") and head.endswith("PUBLIC DNS")
    assert first.startswith("photos/feature-x/backend1  backend  feature_x  10.213.0.10  healthy")
    assert "unhealthy: port 3306 " in second
    assert "\x1b" not in second
    assert daemon.requests[0].query == {"role": ["backend"], "branch": ["feature_x"]}
    assert daemon.requests[1].query["after"] == ["photos/x/backend1"]
    assert [each["name"] for each in json.loads(run("--json")[1])] == ["backend1", "db1"]


def test_no_machine_is_said_in_words(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", "/v1/inventory", {"machines": [], "next": None})
    assert run()[1] == "there is no machine\n"
    assert run("--role", "db")[1] == "there is no machine\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--branch nope", "unknown branch 'nope'; known: feature_x, master"),
        ("--branch feature-y", "unknown branch 'feature-y'; did you mean 'feature_x'?"),
        ("--role backends", "unknown role 'backends'; did you mean 'backend'?"),
        ("--stack foto --role bd", "unknown role 'bd'; did you mean 'db'?; unknown stack"),
        ("--branch feature-x --role db", "none has role 'db' and branch 'feature-x'"),
    ],
)
def test_the_filter_that_finds_nothing_is_named(
    daemon: FakeDaemon, run: Run, words: str, why: str
) -> None:
    there = [
        machine("backend1"),
        machine("db1", environment="photos/master", branch="master", role="db"),
        machine("metrics1", environment="photos/shared", branch=None, role="db"),
    ]
    daemon.routes["GET", "/v1/inventory"] = lambda request: Answer(
        value={"machines": [] if request.query.keys() - {"at"} else there, "next": None}
    )

    code, out, _ = run(*words.split())

    assert (code, out.startswith(f"there is no such machine: {why}")) == (0, True)
    then = "2026-11-23T10:00+00:00"
    at = "the inventory knew of no such machine at 2026-11-23T10:00:00+00:00"
    assert run(*words.split(), "--at", then)[1].startswith(f"{at}: {why}")
    assert daemon.requests[-1].query == {"at": ["2026-11-23T10:00:00+00:00"]}


def test_no_machine_at_a_time_is_said_of_that_time(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", "/v1/inventory", {"machines": [], "next": None})
    then = "2020-01-01T00:00:00+00:00"
    code, out, _ = run("--at", then)
    assert code == 0
    at = re.fullmatch(r"the inventory knew of no machine at (\S+)\n", out)
    assert at is not None
    assert datetime.fromisoformat(at[1]) == datetime.fromisoformat(then)
    assert run("--at", then, "--json")[1] == "[]\n"


def test_the_difference_names_what_changed_but_not_what_follows_from_it(
    daemon: FakeDaemon, run: Run
) -> None:
    changes = [
        {
            "at": "2026-11-23T12:00:00.123Z",
            "environment": "photos/feature-x",
            "machine": "db1",
            "kind": "changed",
            "record": None,
            "fields": [
                {"field": "health", "before": "healthy", "after": "unhealthy"},
                {"field": "failing", "before": "", "after": "port 3306"},
                {"field": "health_since", "before": "x", "after": "y"},
            ],
        }
    ]
    daemon.answer("GET", "/v1/inventory/changes", changes)
    code, out, _ = run("diff", "--since", "2h", "--stack", "photos")
    assert code == 0
    assert out.splitlines()[1].split("  ") == [
        "2026-11-23T12:00:00",
        "photos/feature-x/db1",
        "changed",
        "health: healthy → unhealthy, failing: none → port 3306",
    ]
    (asked,) = daemon.requests
    since = datetime.fromisoformat(asked.query["since"][0])
    assert timedelta(hours=1) < datetime.now(UTC) - since < timedelta(hours=3)
    assert asked.query["stack"] == ["photos"]
    daemon.answer("GET", "/v1/inventory/changes", [])
    assert run("diff", "--since", "2026-11-23T10:00+00:00")[1].startswith("nothing changed since 2")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dif"], "'dif' is not diff"),
        (["--since", "1h"], "--since goes with diff"),
        (["diff", "--role", "db"], "--role does not go with diff"),
        (["diff", "--since", "soon"], "--since 'soon' is no time"),
        (["--at", "12x"], "--at '12x' is no time"),
        (["--format", "xml"], "there is no format 'xml'"),
        (["--format", "enc"], "--format enc is for a machine"),
        (["--format", "dotenv"], "--format dotenv is for an environment"),
        (["--format", "dotenv", "x", "--role", "db"], "--role does not go with --format dotenv"),
        (["--format", "ssh", "backend1"], "--format ssh is for all machines, not for 'backend1'"),
        (["--format", "http_sd"], "--format http_sd needs --port N, the port to scrape"),
        (["--format", "ssh", "--port", "1"], "--port goes with --format http_sd"),
        (["--format", "ssh", "--host", "x"], "--host goes with --format ansible"),
        (["--format", "ssh", "--at", "1h"], "--at does not go with --format"),
        (["--list"], "--list goes with --format"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    daemon: FakeDaemon, run: Run, words: list[str], message: str
) -> None:
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith(f"error E_USAGE: {message}")
    assert daemon.requests == []


@pytest.mark.parametrize(
    ("form", "hint"),
    [
        ("json", "--json prints JSON, without --format"),
        ("xml", "formats: ansible, dotenv, enc, http_sd, ssh"),
    ],
)
def test_of_a_format_that_there_is_not_the_next_step_is_told(
    daemon: FakeDaemon, run: Run, form: str, hint: str
) -> None:
    _, _, err = run("--format", form)
    assert err.splitlines() == [f"error E_USAGE: there is no format {form!r}", f"→ {hint}"]


@pytest.mark.parametrize(
    ("words", "path", "asked"),
    [
        ("--format ssh --branch x", "as/ssh", {"branch": ["x"]}),
        ("--format ansible --list", "as/ansible", {}),
        ("--format ansible --host a.x", "machine/as/ansible", {"host": ["a.x"]}),
        ("a.x --format enc", "machine/as/enc", {"host": ["a.x"]}),
        ("--format http_sd --port 9100 --role db", "http_sd", {"port": ["9100"], "role": ["db"]}),
        ("feature-x --format dotenv", "dotenv", {"name": ["feature-x"]}),
    ],
)
def test_a_format_is_printed_as_the_daemon_wrote_it(
    daemon: FakeDaemon, run: Run, words: str, path: str, asked: dict[str, list[str]]
) -> None:
    daemon.answer("GET", f"/v1/inventory/{path}", ["as it is"])
    code, out, _ = run(*words.split())
    assert code == 0
    assert json.loads(out) == ["as it is"]
    (request,) = daemon.requests
    program = request.query.pop("program", None)
    assert request.query == asked
    assert (program is not None) == ("ssh" in words or "ansible" in words)


def test_there_is_no_inventory_on_aws(daemon: FakeDaemon, run: Run) -> None:
    code, _, err = run("--provider", "aws")
    assert code == 4
    assert err.startswith("error E_LOCAL_ONLY: inventory is for this host")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("30s", NOW - timedelta(seconds=30)),
        ("0s", NOW),
        ("1d12h", NOW - timedelta(hours=36)),
        ("100000m", NOW - timedelta(minutes=100000)),
        ("2026-11-23T11:00+01:00", NOW - timedelta(hours=2)),
    ],
)
def test_an_instant_is_a_date_or_how_long_ago(text: str, meant: datetime) -> None:
    assert instant("--at", text, NOW) == meant
    assert instant("--at", "2026-11-23 10:00", NOW).tzinfo is not None


@pytest.mark.parametrize(
    "text", ["", "m", "-5m", "1.5h", "9999999999d", "5m3h", "tomorrow", "9" * 5000]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        instant("--at", text, NOW)
