"""``greenroom create``, and the request that it shares with ``greenroom plan``."""

from __future__ import annotations

import sys
import time
from typing import Any

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, Option, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import (
    AWS,
    KEEP_FAILED,
    MAX_COST,
    ROLE,
    on_aws,
    refuse_aws_options,
)
from greenroom.cli.request import REQUEST, Wanted
from greenroom.cli.summary import environment_summary
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.words import rewrite_words
from greenroom.errors import NotProvedError, UsageError


@command(
    "create",
    *REQUEST,
    Option("--detach", flag=True, help="Print the operation's id and leave."),
    *AWS,
    ROLE,
    KEEP_FAILED,
    MAX_COST,
    JSON,
    rewrite=rewrite_words,
)
def create(
    detach: bool,
    provider: str | None,
    region: str | None,
    profile: str | None,
    role: str | None,
    keep_failed: bool,
    max_cost_usd_per_day: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Boot a branch: machines, data, firewall, proof.

    The words are those of the seed:

    \b
      greenroom create --machines backend db feed --restore_db extract --branch feature_x

    Machines that serve every environment of the stack are booted on their own:

    \b
      greenroom create --shared metrics
    """
    started = time.monotonic()
    aws = {
        "region": region,
        "profile": profile,
        "role": role,
        "keep_failed": keep_failed,
        "max_cost_usd_per_day": max_cost_usd_per_day,
    }
    if on_aws(provider):
        _create_on_aws(asked, aws, detach=detach, as_json=as_json)
        return
    refuse_aws_options(aws)
    wanted = Wanted(**asked)
    client = connect()
    if detach:
        operation = client.start_operation(wanted.create_body())
        if as_json:
            say_json(operation)
            return
        name = operation["environment"]
        say(f"operation {operation['id']} creates {name}")
        say(f"→ greenroom show {name} tells where it stands; greenroom logs -f {name} follows it")
        return
    followed = run_operation(client, wanted.create_body(), as_json=as_json)
    error = followed.error
    if error is None or isinstance(error, NotProvedError):
        detail = client.environment(followed.operation["environment"])
        if as_json:
            say_json({"environment": detail})
        else:
            seconds = time.monotonic() - started
            for line in environment_summary(detail, seconds, Paint(sys.stdout)):
                say(line)
    if error is not None:
        raise error


def _create_on_aws(
    asked: dict[str, Any], aws: dict[str, Any], *, detach: bool, as_json: bool
) -> None:
    if detach:
        raise UsageError(
            "E_USAGE",
            "--detach is for this host, where a daemon goes on",
            hint="on AWS CloudFormation goes on whoever leaves: press Ctrl-C twice",
        )
    from greenroom.cli.cloud.asked import AwsAsked
    from greenroom.cli.cloud.create import create_on_aws

    create_on_aws(Wanted(**asked), AwsAsked(**aws), as_json=as_json)
