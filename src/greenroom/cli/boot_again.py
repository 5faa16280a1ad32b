"""What ``start`` and ``recover`` have in common: a boot from disks that are there, and a proof."""

from __future__ import annotations

import sys

from greenroom.cli.connect import connect
from greenroom.cli.follow import run_operation
from greenroom.cli.summary import open_claims
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean
from greenroom.errors import NotProvedError


def boot_again(kind: str, environment: str, *, as_json: bool) -> None:
    """Run the operation and tell what it proved; raises its error."""
    client = connect()
    followed = run_operation(client, {"kind": kind, "environment": environment}, as_json=as_json)
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
