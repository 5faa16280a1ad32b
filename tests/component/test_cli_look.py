"""greenroom list, show, open, logs and flows."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from tests.component.cli_daemon import ONE, FakeDaemon
from tests.component.cli_stage import Run
from tests.unit import cli_values as values

from greenroom.cli.matrix import LEGEND
from greenroom.model.proof import Reach, Verdict
from greenroom.model.stack import Protocol
from greenroom.model.views import EnvironmentStatus


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


def test_no_block_of_the_matrix_has_an_empty_row(daemon: FakeDaemon, run: Run) -> None:
    others = [f"photos/branch-of-someone-{letter}:backend1" for letter in "abcd"]
    towards = [values.flow("backend1", other, 80, Reach.FILTERED) for other in others]
    back = [values.flow(other, "db1", 3306, Reach.FILTERED) for other in others]
    daemon.answer("POST", f"{ONE}/flows", values.dumped(values.proof(*towards, *back)))

    lines = run("flows feature-x").out.splitlines()

    blocks = "\n".join(lines[: lines.index(LEGEND)]).strip("\n").split("\n\n")
    rows = [[row.split()[0] for row in block.splitlines()[1:]] for block in blocks]
    assert rows == [["outside", "backend1", *others], ["backend1"]]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("x.doc", "error E_USAGE: --graph x.doc: flows are drawn as SVG and as nothing else\n"),
        ("x", "error E_USAGE: --graph x: flows are drawn as SVG and as nothing else\n"),
        ("no/x.svg", "error E_GRAPH_FILE: cannot write no/x.svg: No such file or directory\n"),
        ("file/x.svg", "error E_GRAPH_FILE: cannot write file/x.svg: Not a directory\n"),
        ("folder.svg", "error E_GRAPH_FILE: cannot write folder.svg: Is a directory\n"),
    ],
)
def test_a_drawing_that_cannot_be_written_is_refused_before_anything_is_probed(
    daemon: FakeDaemon, run: Run, file: str, said: str
) -> None:
    Path("file").touch()
    Path("folder.svg").mkdir()

    ran = run(f"flows feature-x --graph {file}")

    assert (ran.code, ran.out) == (2 if "E_USAGE" in said else 1, "")
    assert ran.err.startswith(said)
    assert daemon.requests == []


def test_a_drawing_of_another_ending_is_told_which_one_works(daemon: FakeDaemon, run: Run) -> None:
    assert "→ --graph out/x.svg; - is stdout" in run("flows --graph out/x.doc").err


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


@pytest.mark.parametrize(
    ("status", "doubted"),
    [
        (EnvironmentStatus.NOT_PROVED, True),
        (EnvironmentStatus.RECOVERING, False),
        (EnvironmentStatus.STOPPED, False),
    ],
)
def test_show_says_of_a_proof_in_doubt_that_it_was_proved(
    daemon: FakeDaemon, run: Run, status: EnvironmentStatus, doubted: bool
) -> None:
    view = values.environment(status=status, verdict=Verdict.NOT_VERIFIED)
    daemon.answer("GET", ONE, values.dumped(values.detail(summary=view)))
    shown = run("show feature_x").out
    assert f"photos/feature-x  {status}  not verified\n" in shown
    assert ("  doubt    something has happened since it was proved" in shown) is doubted
    assert "db1    healthy  was proved  tcp 3306 answers\n" in shown


def test_show_says_of_what_is_proved_now_that_it_is(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", ONE, values.dumped(values.detail()))
    shown = run("show feature_x").out
    assert "db1    healthy  proved   tcp 3306 answers\n" in shown
    assert "doubt" not in shown


def test_show_and_list_say_of_what_has_expired_that_it_is_going(
    daemon: FakeDaemon, run: Run
) -> None:
    view = values.environment(
        expires_at=values.NOW - timedelta(days=2, hours=12), warned_at=values.NOW
    )
    daemon.answer("GET", "/v1/environments", [values.dumped(view)])
    daemon.answer("GET", ONE, values.dumped(values.detail(summary=view)))
    listed = run("list").out
    assert "expired 2 days ago, going" in listed
    assert "soon" not in listed
    shown = run("show feature_x").out
    assert "  expired  2 days ago, at " in shown
    assert " UTC; it is going; greenroom extend photos/feature-x keeps it\n" in shown
