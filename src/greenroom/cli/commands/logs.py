"""``greenroom logs``."""

from __future__ import annotations

import sys

import click

from greenroom.cli.connect import chosen_environment, connect
from greenroom.cli.options import aws_options, environment_argument, json_option
from greenroom.cli.provider import on_aws, refuse_aws_options
from greenroom.cli.terminal import Paint, say_json
from greenroom.cli.text import clean, pad, width


@click.command("logs")
@environment_argument(required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option("--machine", help="Only this machine.")
@click.option("--service", help="Only this service.")
@aws_options
@json_option
def logs(
    environment: str | None,
    follow: bool,
    machine: str | None,
    service: str | None,
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Print the logs of an environment's services.

    On a terminal the lines are stripped of escape sequences; in a pipe they stay as they are.
    """
    if on_aws(provider):
        from greenroom.cli.cloud.inside import logs_on_aws

        logs_on_aws(
            region,
            profile,
            environment,
            machine=machine,
            service=service,
            follow=follow,
            as_json=as_json,
        )
        return
    refuse_aws_options({"region": region, "profile": profile})
    client = connect()
    name = chosen_environment(client, environment)
    paint = Paint(sys.stdout)
    columns = 0
    for entry in client.logs(name, machine=machine, service=service, follow=follow):
        if as_json:
            say_json(entry)
            continue
        origin = clean(f"{entry['machine']}/{entry['service']}")
        columns = max(columns, width(origin))
        line = clean(entry["line"]) if sys.stdout.isatty() else entry["line"]
        sys.stdout.write(f"{paint('dim', pad(origin, columns) + ' |')} {line}\n")
        if follow:
            sys.stdout.flush()
