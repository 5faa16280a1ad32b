"""``greenroom shell``, also called ``greenroom ssh``."""

from __future__ import annotations

import sys

import click

from greenroom.cli.connect import connect
from greenroom.cli.inside import SHELL_ARGV, become
from greenroom.cli.options import environment_argument, json_option
from greenroom.cli.terminal import say_json


@click.command("shell")
@environment_argument(required=True)
@click.argument("machine")
@json_option
def shell(environment: str, machine: str, as_json: bool) -> None:
    """Open a shell in a machine (alias: ssh)."""
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    argv = connect().command(environment, machine, SHELL_ARGV, tty=tty)
    if as_json:
        say_json({"argv": argv})
        return
    become(argv)
