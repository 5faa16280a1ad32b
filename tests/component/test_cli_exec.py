"""greenroom exec, shell and ssh."""

from __future__ import annotations

from typing import Any

import pytest
from tests.component.cli_daemon import ONE, FakeDaemon
from tests.component.cli_stage import Run

from greenroom.cli.commands import exec as exec_module
from greenroom.cli.commands import shell as shell_module


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
    assert query["arg"] == ["ls", "-l", "--json", "--help"]
    assert (query["machine"], query["tty"]) == (["backend1"], ["0"])
    (asked,) = [each for each in daemon.requests if each.path == "/v1/lookup"]
    assert asked.query["name"] == ["feature_x"]


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["ls", "-l", "a b"], "greenroom exec feature_x MACHINE -- ls -l 'a b'"),
        ([], "greenroom exec feature_x MACHINE -- uptime"),
    ],
)
def test_a_machine_that_was_left_out_is_asked_for(
    daemon: FakeDaemon, run: Run, command: list[str], hint: str
) -> None:
    ran = run("exec", "feature_x", "--", *command)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "error E_USAGE: there is no machine between feature_x and --",
        f"→ {hint}",
    ]
    assert daemon.requests == []


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
