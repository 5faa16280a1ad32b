"""``greenroom list``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, command
from greenroom.cli.provider import AWS, on_aws, refuse_aws_options
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import age, count, has_passed, table, until

if TYPE_CHECKING:
    from greenroom.cli.shapes import EnvironmentReply


@command("list", *AWS, JSON)
def list_environments(
    provider: str | None, region: str | None, profile: str | None, as_json: bool
) -> None:
    """List the environments."""
    if on_aws(provider):
        from greenroom.cli.cloud.look import list_on_aws

        list_on_aws(region, profile, as_json=as_json)
        return
    refuse_aws_options({"region": region, "profile": profile})
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


_HEAD = ("ENVIRONMENT", "BRANCH", "STATUS", "VERDICT", "MACHINES", "AGE", "OWNER", "EXPIRES", "URL")


def _row(environment: EnvironmentReply) -> tuple[str, ...]:
    return (
        environment["name"],
        _branch(environment),
        environment["status"],
        environment["verdict"],
        count(len(environment["machines"]), "machine"),
        age(environment["created_at"]),
        environment["owner"],
        _expiry(environment),
        environment["url"] or "-",
    )


def _expiry(environment: EnvironmentReply) -> str:
    end = environment["expires_at"]
    if end is None:
        return "-"
    now = datetime.now(UTC)
    if has_passed(end, now):
        return f"expired {until(end, now)}, going"
    return f"soon: {until(end, now)}" if environment["warned_at"] else until(end, now)


def _branch(environment: EnvironmentReply) -> str:
    if environment["shared"]:
        return "(shared)"
    return environment["branch"] + (" (production)" if environment["production"] else "")
