"""``greenroom destroy``."""

from __future__ import annotations

import sys

from greenroom.cli.confirm import typed_for_production
from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, Option, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import AWS, on_aws, refuse_aws_options
from greenroom.cli.summary import receipt_lines
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import count
from greenroom.errors import OperationError


@command(
    "destroy",
    ENVIRONMENT,
    Option("--confirm", metavar="NAME", help="The name again; production asks for it."),
    Option(
        "--retain",
        multiple=True,
        metavar="RESOURCE",
        help="AWS: leave a resource in the account that the last destroy could not delete.",
    ),
    *AWS,
    JSON,
)
def destroy(
    environment: str,
    confirm: str | None,
    retain: tuple[str, ...],
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Remove an environment and print the receipt.

    Production (the default branch's environment) is removed only if its name is typed: at the
    prompt, or with --confirm.
    """
    if on_aws(provider):
        from greenroom.cli.cloud.destroy import destroy_on_aws

        destroy_on_aws(
            region, profile, environment, confirm=confirm, retain=retain, as_json=as_json
        )
        return
    refuse_aws_options({"region": region, "profile": profile, "retain": retain or None})
    client = connect()
    confirm = typed_for_production(client, environment, confirm, "destroy", as_json=as_json)
    followed = run_operation(
        client,
        {"kind": "destroy", "environment": environment, "confirm": confirm},
        as_json=as_json,
    )
    receipt = client.operation(followed.operation["id"])["receipt"]
    if receipt is not None:
        if as_json:
            say_json({"receipt": receipt})
        else:
            for line in receipt_lines(receipt, Paint(sys.stdout)):
                say(line)
    if followed.error is not None:
        raise followed.error
    if receipt is not None and receipt["left_over"]:
        raise OperationError(
            "E_LEFT_OVER",
            f"the host still holds {count(len(receipt['left_over']), 'thing')} of {environment}",
            hint=f"run greenroom destroy {environment} again; the daemon's log says why it stayed",
        )
