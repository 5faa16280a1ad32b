"""``greenroom recover``."""

from __future__ import annotations

import sys

from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.cli.summary import open_claims
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean
from greenroom.errors import NotProvedError


@command("recover", ENVIRONMENT, PROVIDER, JSON)
def recover(environment: str, provider: str | None, as_json: bool) -> None:
    """Boot what does not run any more, from its own disks.

    The daemon does it by itself when it starts, and when a machine ends. This is for another try
    after one that failed. Machines that run are left alone; the whole is proved again.
    """
    refuse_on_aws(
        "recover",
        "on AWS greenroom show --provider aws ENV tells what does not run and greenroom update "
        "boots what the blueprint changed; what is broken is made anew: greenroom destroy "
        "--provider aws ENV, then create",
        provider,
    )
    client = connect()
    followed = run_operation(
        client, {"kind": "recover", "environment": environment}, as_json=as_json
    )
    error = followed.error
    if error is None or isinstance(error, NotProvedError):
        detail = client.environment(followed.operation["environment"])
        if as_json:
            say_json({"environment": detail})
        else:
            paint = Paint(sys.stdout)
            verdict = paint.verdict(detail["summary"]["verdict"])
            say(f"{paint('strong', clean(detail['summary']['name']))} runs and is {verdict}")
            for line in open_claims(detail, paint):
                say(f"  {line}")
    if error is not None:
        raise error
