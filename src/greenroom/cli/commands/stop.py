"""``greenroom stop``."""

from __future__ import annotations

import sys

from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean


@command("stop", ENVIRONMENT, PROVIDER, JSON)
def stop(environment: str, provider: str | None, as_json: bool) -> None:
    """End an environment's machines; keep what they hold.

    Their memory is free; disks, data, network and names stay. Whoever asks its URL is told that it
    is stopped. greenroom start boots it again.
    """
    refuse_on_aws(
        "stop", "on AWS aws ec2 stop-instances stops instances, and their volumes cost on", provider
    )
    client = connect()
    followed = run_operation(client, {"kind": "stop", "environment": environment}, as_json=as_json)
    if followed.error is not None:
        raise followed.error
    detail = client.environment(followed.operation["environment"])
    if as_json:
        say_json({"environment": detail})
        return
    name = clean(detail["summary"]["name"])
    say(f"{Paint(sys.stdout)('strong', name)} is stopped; greenroom start {name} boots it again")
