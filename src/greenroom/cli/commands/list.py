"""``greenroom list``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, command
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import age, count, table

if TYPE_CHECKING:
    from greenroom.cli.shapes import EnvironmentReply


@command("list", JSON)
def list_environments(as_json: bool) -> None:
    """List the environments."""
    environments = connect().environments()
    if as_json:
        say_json(environments)
    elif not environments:
        say("there is no environment; greenroom create boots one")
    else:
        head, *lines = table(_HEAD, [_row(environment) for environment in environments])
        say(Paint(sys.stdout)("dim", head))
        for line in lines:
            say(line)


_HEAD = ("ENVIRONMENT", "BRANCH", "STATUS", "VERDICT", "MACHINES", "AGE", "URL")


def _row(environment: EnvironmentReply) -> tuple[str, ...]:
    return (
        environment["name"],
        _branch(environment),
        environment["status"],
        environment["verdict"],
        count(len(environment["machines"]), "machine"),
        age(environment["created_at"]),
        environment["url"] or "-",
    )


def _branch(environment: EnvironmentReply) -> str:
    if environment["shared"]:
        return "(shared)"
    return environment["branch"] + (" (production)" if environment["production"] else "")
