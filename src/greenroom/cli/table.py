"""The table of commands, and the first page of help made from it alone.

``greenroom --help`` is what people wait for most often, and importing Click takes three times as
long as starting Python. So this page is written without it; a test holds it to be, to the letter,
what Click would write.
"""

from __future__ import annotations

import os

DESCRIPTION = (
    "A copy of production for every branch: real servers, real firewalls, a restored database, "
    "and the proof."
)
EPILOG = (
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 not proved, 4 refused. "
    "Every command takes --json: data on stdout, errors as one JSON line on stderr."
)
WIDEST = 100
"""Columns that help takes at the most, however wide the terminal is."""

_NARROWEST = 80
_OPTIONS = (
    ("--version", "Show the version and exit."),
    ("-h, --help", "Show this message and exit."),
)


class Entry:
    """Where a command lives, and the line that ``--help`` shows (its docstring's first).

    A plain class: a NamedTuple would import ``typing`` and ``collections`` for this page.
    """

    def __init__(self, module: str, attribute: str, summary: str, *, hidden: bool = False) -> None:
        self.module = module
        self.attribute = attribute
        self.summary = summary
        self.hidden = hidden


COMMANDS = {
    "create": Entry("create", "create", "Boot a branch: machines, data, firewall, proof."),
    "plan": Entry("plan", "plan", "Print what create would boot; touch nothing."),
    "template": Entry("template", "template", "Print the CloudFormation template of a create."),
    "list": Entry("list", "list_environments", "List the environments."),
    "show": Entry("show", "show", "Show an environment: machines, phases, restores, proof."),
    "inventory": Entry("inventory", "inventory", "List machines: who is there, since when, how."),
    "open": Entry("open", "open_environment", "Print an environment's URL and open it."),
    "web": Entry("web", "web", "Print a link to the page that logs in once, and open it."),
    "shell": Entry("shell", "shell", "Open a shell in a machine (alias: ssh)."),
    "ssh": Entry("shell", "shell", "Open a shell in a machine.", hidden=True),
    "ssh-proxy": Entry("ssh_proxy", "ssh_proxy", "Serve one ssh connection.", hidden=True),
    "ssh-session": Entry("ssh_proxy", "ssh_session", "Run what ssh asked for.", hidden=True),
    "exec": Entry("exec", "exec_command", "Run a command in a machine."),
    "logs": Entry("logs", "logs", "Print the logs of an environment's services."),
    "flows": Entry("flows", "flows", "Probe who reaches whom, and judge it."),
    "drift": Entry("drift", "drift", "Name what differs between an environment and the account."),
    "deploy": Entry("deploy", "deploy", "Deploy the current artifacts to a running environment."),
    "artifact": Entry("artifact", "artifact", "Push the code that machines deploy."),
    "update": Entry(
        "update", "update", "Change an environment on AWS to what the blueprint says now."
    ),
    "recover": Entry("recover", "recover", "Boot what does not run any more, from its own disks."),
    "stop": Entry("stop", "stop", "End an environment's machines; keep what they hold."),
    "start": Entry("start", "start", "Boot a stopped environment from its own disks."),
    "extend": Entry("extend", "extend", "Let an environment live longer."),
    "replace": Entry("replace", "replace", "Throw machines away, and boot them anew."),
    "drill": Entry("drill", "drill", "Try out what an emergency would need."),
    "cancel": Entry("cancel", "cancel", "Stop what runs on an environment, and take it back."),
    "destroy": Entry("destroy", "destroy", "Remove an environment and print the receipt."),
    "doctor": Entry("doctor", "doctor", "Say what this host lacks, and what mends it."),
    "schema": Entry("schema", "schema", "Print the blueprint's JSON Schema."),
    "serve": Entry("serve", "serve", "Run the daemon in the foreground, or stop it."),
    "job": Entry("job", "job", "Run jobs, follow them, and see what ran."),
    "image": Entry("image", "image", "Build, list and remove machine images."),
    "token": Entry("token", "token", "Make, list and revoke access tokens."),
    "audit": Entry("audit", "audit", "Show who asked for what, and how it ended."),
    "prices": Entry("prices", "prices", "Show the known prices of AWS, and fetch them anew."),
    "completion": Entry("completion", "completion", "Print the completion script for a shell."),
}


def first_page() -> str | None:
    """What ``greenroom --help`` prints, or None on a terminal so narrow that Click must fold it."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
    except (OSError, ValueError):
        columns = _NARROWEST
    if columns < _NARROWEST:
        return None
    width = min(columns, WIDEST) - 2
    commands = [(name, entry.summary) for name, entry in COMMANDS.items() if not entry.hidden]
    parts = (
        "Usage: greenroom [OPTIONS] COMMAND [ARGS]...",
        _folded(DESCRIPTION, width),
        "Options:\n" + _columns(_OPTIONS),
        "Commands:\n" + _columns(commands),
        _folded(EPILOG, width),
    )
    return "\n\n".join(parts)


def _columns(rows: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> str:
    first = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{first}}  {summary}" for name, summary in rows)


def _folded(text: str, width: int) -> str:
    lines = [" "]
    for word in text.split():
        if len(lines[-1]) + 1 + len(word) > width:
            lines.append(" ")
        lines[-1] += f" {word}"
    return "\n".join(lines)
