"""``greenroom inventory``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, Argument, Option, command
from greenroom.cli.instant import instant
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import age, clean, table
from greenroom.errors import UsageError

if TYPE_CHECKING:
    from greenroom.cli.shapes import ChangeReply, RecordReply

_DIFF = "diff"
_SINCE_DEFAULT = "24h"


@command(
    "inventory",
    Argument("what", metavar="[diff]", required=False),
    Option("--role", help="Only machines of this role."),
    Option("--branch", help="Only machines of this branch (or slug)."),
    Option("--stack", help="Only machines of this stack."),
    Option("--at", metavar="TIME", help="As it was then: 90m ago, or 2026-11-23T10:00."),
    Option(
        "--since", metavar="TIME", help=f"diff: changes since then [default: {_SINCE_DEFAULT}]."
    ),
    PROVIDER,
    JSON,
)
def inventory(
    what: str | None,
    role: str | None,
    branch: str | None,
    stack: str | None,
    at: str | None,
    since: str | None,
    provider: str | None,
    as_json: bool,
) -> None:
    """List machines: who is there, since when, how.

    Every machine of every environment, with its role, branch, addresses, health, image and
    artifact. ``greenroom inventory diff`` tells what changed.
    """
    refuse_on_aws(
        "inventory",
        "on AWS greenroom list --provider aws and greenroom show --provider aws ENV tell it",
        provider,
    )
    if what == _DIFF:
        _refuse_with_diff(role=role, branch=branch, at=at)
        _say_changes(stack, since or _SINCE_DEFAULT, as_json=as_json)
        return
    if what is not None:
        raise UsageError("E_USAGE", f"{what!r} is not diff", hint="greenroom inventory --help")
    if since is not None:
        raise UsageError("E_USAGE", "--since goes with diff", hint="greenroom inventory diff")
    then = None if at is None else instant("--at", at).isoformat()
    records = connect().machines(role=role, branch=branch, stack=stack, at=then)
    if as_json:
        say_json(records)
    elif not records:
        say("there is no such machine" if role or branch or stack else "there is no machine")
    else:
        _say_table(_HEAD, [_row(record) for record in records])


_HEAD = ("MACHINE", "ROLE", "BRANCH", "ADDRESS", "HEALTH", "SINCE", "IMAGE", "PUBLIC DNS")


def _row(record: RecordReply) -> tuple[str, ...]:
    health = record["health"]
    return (
        f"{record['environment']}/{record['name']}",
        record["role"],
        record["branch"] or "(shared)",
        record["address"],
        f"{health}: {record['failing']}" if record["failing"] else health,
        age(record["since"]),
        record["image"],
        record["public_dns"] or "-",
    )


def _refuse_with_diff(**given: str | None) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError("E_USAGE", f"--{name} does not go with diff", hint="--stack does")


def _say_changes(stack: str | None, since: str, *, as_json: bool) -> None:
    begins = instant("--since", since).isoformat()
    changes = connect().machine_changes(stack=stack, since=begins)
    if as_json:
        say_json(changes)
    elif not changes:
        say(f"nothing changed since {begins}")
    else:
        _say_table(_CHANGE_HEAD, [_change_row(change) for change in changes])


_CHANGE_HEAD = ("AT", "MACHINE", "WHAT", "FROM → TO")
_UNTOLD = ("since", "health_since")
"""They follow from the other fields."""


def _change_row(change: ChangeReply) -> tuple[str, ...]:
    fields = [each for each in change["fields"] if each["field"] not in _UNTOLD]
    told = ", ".join(f"{e['field']}: {_told(e['before'])} → {_told(e['after'])}" for e in fields)
    return (
        change["at"][:19],
        f"{change['environment']}/{change['machine']}",
        change["kind"],
        told or "-",
    )


def _told(value: object) -> str:
    return clean(str(value)) if value not in (None, "") else "none"


def _say_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    first, *lines = table(head, rows)
    say(Paint(sys.stdout)("dim", first))
    for line in lines:
        say(line)
