"""The group of commands: what it says of itself, and of what it does not know."""

from __future__ import annotations

import os

import click
import pytest
from tests.component.cli_stage import Run

from greenroom.cli.group import cli
from greenroom.cli.table import COMMANDS, first_page
from greenroom.region import Region


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
        ("exec feature-x -- true", "there is no machine between feature-x and --"),
        ("exec feature-x --", "there is no machine between feature-x and --"),
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
