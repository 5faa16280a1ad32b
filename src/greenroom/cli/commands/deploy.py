"""``greenroom deploy``."""

from __future__ import annotations

import sys

from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, Argument, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import AWS, on_aws, refuse_aws_options
from greenroom.cli.summary import artifact_lines, open_claims
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean
from greenroom.errors import NotProvedError


@command(
    "deploy",
    ENVIRONMENT,
    Argument("types", metavar="[TYPE]...", required=False, many=True),
    *AWS,
    JSON,
)
def deploy(
    environment: str,
    types: tuple[str, ...],
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Deploy the current artifacts to a running environment.

    Without TYPE every machine type that deploys something is meant.
    """
    if on_aws(provider):
        from greenroom.cli.cloud.deploy import deploy_on_aws

        deploy_on_aws(region, profile, environment, types, as_json=as_json)
        return
    refuse_aws_options({"region": region, "profile": profile})
    client = connect()
    followed = run_operation(
        client,
        {"kind": "deploy", "environment": environment, "types": list(types)},
        as_json=as_json,
    )
    error = followed.error
    if error is None or isinstance(error, NotProvedError):
        detail = client.environment(followed.operation["environment"])
        if as_json:
            say_json({"environment": detail})
        else:
            paint = Paint(sys.stdout)
            verdict = paint.verdict(detail["summary"]["verdict"])
            say(f"{paint('strong', clean(detail['summary']['name']))} is deployed and {verdict}")
            for line in (*artifact_lines(detail), *open_claims(detail, paint)):
                say(f"  {line}")
    if error is not None:
        raise error
