"""``greenroom cancel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.cli.client import Client
from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, command
from greenroom.cli.follow import follow_operation
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.errors import InputError

if TYPE_CHECKING:
    from greenroom.cli.shapes import OperationReply


@command("cancel", ENVIRONMENT, PROVIDER, JSON)
def cancel(environment: str, provider: str | None, as_json: bool) -> None:
    """Stop what runs on an environment, and take it back.

    For what was started with --detach, or whose terminal has gone: in front of a running create
    Ctrl-C does the same.
    """
    refuse_on_aws(
        "cancel",
        "on AWS press Ctrl-C in front of a create or update; a create that nobody is in front of "
        "is taken back by greenroom destroy --provider aws ENV",
        provider,
    )
    client = connect()
    running = _running(client, environment)

    def begin() -> OperationReply:
        client.cancel_operation(running)
        return client.operation(running)

    followed = follow_operation(client, begin, as_json=as_json)
    if followed.error is not None and followed.error.code != "E_CANCELLED":
        raise followed.error


def _running(client: Client, environment: str) -> str:
    """The id of the operation that runs on the environment."""
    summary = client.environment(environment)["summary"]
    operation = summary["operation"]
    if operation is None:
        raise InputError(
            "E_NOTHING_RUNS",
            f"nothing runs on {summary['name']}: it is {summary['status']}",
            hint="greenroom list shows what runs on which environment",
        )
    return operation
