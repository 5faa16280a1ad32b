"""``greenroom serve``."""

from __future__ import annotations

import os
import select
import signal

import click

from greenroom.cli.client import Client
from greenroom.cli.options import json_option
from greenroom.cli.terminal import say, say_json
from greenroom.errors import GreenroomError, HostError, RefusedError
from greenroom.region import Region

STOP_TIMEOUT_S = 60.0


@click.command("serve")
@click.option("--stop", is_flag=True, help="Stop the daemon that runs, and wait until it is gone.")
@json_option
def serve(stop: bool, as_json: bool) -> None:
    """Run the daemon in the foreground, or stop it.

    Other commands start it in the background when none runs. Environments outlive it.
    """
    region = Region.from_environment()
    if not stop:
        _refuse_second(region)
        from greenroom.daemon import serve as serve_region

        serve_region(region)
        return
    pid = _stop(region)
    if as_json:
        say_json({"stopped": pid is not None, "pid": pid})
    elif pid is None:
        say(f"no daemon runs for the region {region.name}")
    else:
        say(f"the daemon of {region.name} (process {pid}) is gone")


def _refuse_second(region: Region) -> None:
    """Before the daemon is imported, which takes a second; its lock decides between two at once."""
    try:
        client = Client(str(region.socket_path))
        if not client.accepts():
            return
        pid = client.status()["pid"]
    except (OSError, GreenroomError):
        return
    raise RefusedError(
        "E_DAEMON_RUNS",
        f"a daemon of region {region.name} runs already (pid {pid})",
        hint="greenroom serve --stop ends it",
    )


def _stop(region: Region) -> int | None:
    """End the daemon; its process id, or None where none runs."""
    try:
        client = Client(str(region.socket_path))
        if not client.accepts():
            return None
        pid = client.status()["pid"]
        # A pidfd names the process even if its number is given to another one meanwhile, and it
        # becomes readable at its end also where nobody reaps the zombie (pidfd_open(2)).
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            ended = _readable(descriptor, STOP_TIMEOUT_S)
        finally:
            os.close(descriptor)
    except PermissionError as exc:
        from greenroom.cli.start import needs_root

        raise needs_root() from exc
    except ProcessLookupError:
        return pid
    if not ended:
        raise HostError(
            "E_DAEMON_STOP",
            f"the daemon (process {pid}) has not ended {STOP_TIMEOUT_S:.0f} s after SIGTERM",
            hint=f"it may be finishing an operation; its log is {region.log_path}",
        )
    return pid


def _readable(descriptor: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000))
