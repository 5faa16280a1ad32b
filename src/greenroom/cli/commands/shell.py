"""``greenroom shell``, also called ``greenroom ssh``."""

from __future__ import annotations

import sys

import click

from greenroom.cli.connect import connect
from greenroom.cli.inside import SHELL_ARGV, become
from greenroom.cli.options import aws_options, environment_argument, json_option
from greenroom.cli.provider import on_aws, refuse_aws_options
from greenroom.cli.terminal import say_json


@click.command("shell")
@environment_argument(required=True)
@click.argument("machine")
@aws_options
@json_option
def shell(
    environment: str,
    machine: str,
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Open a shell in a machine (alias: ssh)."""
    if on_aws(provider):
        from greenroom.cli.cloud.inside import shell_on_aws

        shell_on_aws(region, profile, environment, machine, as_json=as_json)
        return
    refuse_aws_options({"region": region, "profile": profile})
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    argv = connect().command(environment, machine, SHELL_ARGV, tty=tty)
    if as_json:
        say_json({"argv": argv})
        return
    become(argv)
