"""``greenroom token``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from greenroom.cli.connect import connect
from greenroom.cli.options import json_option
from greenroom.cli.terminal import Paint, note, say, say_json
from greenroom.cli.text import age, clean, table
from greenroom.errors import UsageError
from greenroom.model.durations import parse_duration_s

if TYPE_CHECKING:
    from greenroom.cli.shapes import GrantReply, TokenReply

_EVERY_STACK = "*"


@click.group("token")
def token() -> None:
    """Make, list and revoke access tokens."""


@token.command("create")
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice(["viewer", "developer", "operator"]),
    help="What its bearer may.",
)
@click.option("--stack", "stacks", multiple=True, help="On this stack alone; may be repeated.")
@click.option("--expires", default="30d", show_default=True, help="When: 8h, 30d, at most 366d.")
@json_option
def create(name: str, role: str, stacks: tuple[str, ...], expires: str, as_json: bool) -> None:
    """Make a token for a person or a program; its text is shown this once."""
    try:
        expires_s = parse_duration_s(expires)
    except ValueError as error:
        raise UsageError(
            "E_DURATION", f"--expires: {error}", hint="--expires 8h, or 30d; at most 366d"
        ) from error
    grants: list[GrantReply] = [
        {"stack": stack, "role": role} for stack in stacks or (_EVERY_STACK,)
    ]
    made = connect().create_token(name, grants, expires_s)
    if as_json:
        say_json(made)
        return
    say(made["token"])
    note(
        f"{clean(made['name'])}: {_grants(made)}, until {made['expires_at'][:16]}Z; "
        "nobody can show it again"
    )
    for notice in made["notices"]:
        note(f"{Paint(sys.stderr)('open', 'note:')} {clean(notice)}")


@token.command("list")
@json_option
def list_tokens(as_json: bool) -> None:
    """List the tokens, also those that open nothing any more."""
    tokens = connect().tokens()
    if as_json:
        say_json(tokens)
    elif not tokens:
        say("there is no token; greenroom token create NAME --role ROLE makes one")
    else:
        head, *lines = table(_HEAD, [_row(each) for each in tokens])
        say(Paint(sys.stdout)("dim", head))
        for line in lines:
            say(line)


@token.command("revoke")
@click.argument("name", metavar="NAME|ID")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """End a token, at once."""
    revoked = connect().revoke_token(name)
    if as_json:
        say_json(revoked)
        return
    told = f"{clean(revoked['name'])} ({revoked['id']})"
    before = revoked["revoked_at"] if revoked["again"] else None
    if before is None:
        say(f"{told} opens nothing any more")
    else:
        say(f"{told} was revoked before, at {before[:16]}Z, and opens nothing")


_HEAD = ("TOKEN", "ID", "MAY", "STATUS", "EXPIRES", "LAST USED", "BY")


def _row(reply: TokenReply) -> tuple[str, ...]:
    used = reply["last_used_at"]
    return (
        reply["name"],
        reply["id"],
        _grants(reply),
        reply["status"],
        f"{reply['expires_at'][:16]}Z",
        "never" if used is None else f"{age(used)} ago",
        reply["created_by"],
    )


def _grants(reply: TokenReply) -> str:
    return ", ".join(
        each["role"] if each["stack"] == _EVERY_STACK else f"{each['role']} of {each['stack']}"
        for each in reply["grants"]
    )
