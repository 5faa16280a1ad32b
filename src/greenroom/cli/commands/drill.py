"""``greenroom drill``."""

from __future__ import annotations

from greenroom.cli.confirm import typed_for_production
from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, Option, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import CONFIRM, PROVIDER, refuse_on_aws
from greenroom.cli.replaced import say_replaced


@command(
    "drill",
    ENVIRONMENT,
    Option(
        "--throw-away",
        flag=True,
        help="Replace each machine without a data volume in turn, while a client reads.",
    ),
    CONFIRM,
    PROVIDER,
    JSON,
)
def drill(
    environment: str, throw_away: bool, confirm: str | None, provider: str | None, as_json: bool
) -> None:
    """Try out what an emergency would need.

    Every data source is restored cold from its artefact, in a machine of its own beside the
    environment, timed and verified. With --throw-away each stateless machine is replaced in turn
    while a client reads the endpoints, and what that client saw is told.
    """
    refuse_on_aws("drill", "on AWS a create with :cold restores from the artefact", provider)
    client = connect()
    if throw_away:
        confirm = typed_for_production(
            client, environment, confirm, "replace machines of", as_json=as_json
        )
    followed = run_operation(
        client,
        {
            "kind": "drill",
            "environment": environment,
            "throw_away": throw_away,
            "confirm": confirm,
        },
        as_json=as_json,
    )
    say_replaced(client, followed, "drilled", as_json=as_json)
