"""``greenroom exec``."""

from __future__ import annotations

import shlex
import sys

import click

from greenroom.cli.connect import connect
from greenroom.cli.inside import become, captured
from greenroom.cli.options import aws_options, environment_argument, json_option
from greenroom.cli.provider import on_aws, refuse_aws_options
from greenroom.cli.terminal import say_json
from greenroom.errors import UsageError


@click.command("exec", context_settings={"allow_interspersed_args": False})
@environment_argument(required=True)
@click.argument("machine")
@click.argument("words", metavar="COMMAND...", nargs=-1, type=click.UNPROCESSED)
@aws_options
@json_option
@click.pass_context
def exec_command(
    ctx: click.Context,
    environment: str,
    machine: str,
    words: tuple[str, ...],
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Run a command in a machine.

    Everything after MACHINE is the command, its options too, with or without -- in between; the
    exit code is the command's own. Options of greenroom stand before ENV. With --json the output
    is captured and printed as {"exit_code", "stdout", "stderr"}. A command that the machine does
    not have ends with 127, one that is not executable with 126.
    """
    if machine == "--":
        raise UsageError(
            "E_USAGE",
            f"there is no machine between {environment} and --",
            hint=f"greenroom exec {environment} MACHINE -- {shlex.join(words) or 'uptime'}",
        )
    command = words[1:] if words[:1] == ("--",) else words
    if not command:
        raise UsageError(
            "E_USAGE",
            f"there is no command to run in {machine}",
            hint=f"greenroom exec {environment} {machine} -- uptime",
        )
    if on_aws(provider):
        from greenroom.cli.cloud.inside import exec_on_aws

        ctx.exit(exec_on_aws(region, profile, environment, machine, command, as_json=as_json))
    refuse_aws_options({"region": region, "profile": profile})
    tty = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    argv = connect().command(environment, machine, command, tty=tty)
    if not as_json:
        become(argv)
    result = captured(argv)
    say_json(result)
    ctx.exit(int(result["exit_code"]))
