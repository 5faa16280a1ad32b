"""``exec``, ``shell`` and ``logs`` on AWS, through Systems Manager."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from greenroom.app.cloud.inside import Inside, machine_instance, read_logs, run_command
from greenroom.app.cloud.look import find
from greenroom.cli.cloud.here import inventory_here
from greenroom.cli.inside import become
from greenroom.cli.request import stack_here
from greenroom.cli.terminal import Paint, note, say_json
from greenroom.cli.text import clean, pad, width

OUTPUT_CUT = (
    "the output is longer than AWS hands over: only the first 24,000 characters of stdout and of "
    "stderr are here; greenroom shell shows all"
)


def exec_on_aws(
    region: str | None,
    profile: str | None,
    environment: str,
    machine: str,
    argv: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Run a command in a machine; its exit code."""
    inside = Inside(inventory=inventory_here(region, profile))
    stack = find(inside.inventory, environment, stack_here())
    ran = run_command(inside, stack, machine, argv)
    if as_json:
        say_json(asdict(ran))
        return ran.exit_code
    sys.stdout.write(ran.stdout)
    sys.stdout.flush()
    sys.stderr.write(ran.stderr)
    sys.stderr.flush()
    if ran.cut:
        note(OUTPUT_CUT)
    return ran.exit_code


def shell_on_aws(
    region: str | None, profile: str | None, environment: str, machine: str, *, as_json: bool
) -> None:
    """Become the program that opens a shell; with ``as_json`` say which AWS command would."""
    inventory = inventory_here(region, profile)
    stack = find(inventory, environment, stack_here())
    instance = machine_instance(Inside(inventory=inventory), stack, machine)
    if as_json:
        # Our own command line would hold the token of a session that somebody must end.
        words = ["aws", "ssm", "start-session", "--region", inventory.region]
        words += ["--profile", profile] if profile else []
        say_json({"argv": [*words, "--target", instance.id]})
        return
    command = inventory.shell(machine, instance.id)
    os.environ.update(command.variables)
    become(command.argv)


def logs_on_aws(
    region: str | None,
    profile: str | None,
    environment: str | None,
    *,
    machine: str | None,
    service: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Print the logs of an environment's services."""
    inside = Inside(inventory=inventory_here(region, profile))
    stack = find(inside.inventory, environment, stack_here())
    paint = Paint(sys.stdout)
    columns = 0
    for entry in read_logs(inside, stack, machine=machine, service=service, follow=follow):
        if not entry.service:
            note(f"{entry.machine}: {entry.line}")
        elif as_json:
            say_json(asdict(entry))
        else:
            origin = clean(f"{entry.machine}/{entry.service}")
            columns = max(columns, width(origin))
            line = clean(entry.line) if sys.stdout.isatty() else entry.line
            sys.stdout.write(f"{paint('dim', pad(origin, columns) + ' |')} {line}\n")
            if follow:
                sys.stdout.flush()
