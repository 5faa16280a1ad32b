"""``greenroom replace``."""

from __future__ import annotations

from greenroom.cli.confirm import typed_for_production
from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, Argument, Option, command
from greenroom.cli.follow import run_operation
from greenroom.cli.provider import CONFIRM, PROVIDER, refuse_on_aws
from greenroom.cli.replaced import say_replaced
from greenroom.errors import UsageError


@command(
    "replace",
    ENVIRONMENT,
    Argument("machines", metavar="[MACHINE]...", required=False, many=True),
    Option("--stateless", flag=True, help="All machines that have no data volume."),
    CONFIRM,
    PROVIDER,
    JSON,
)
def replace(
    environment: str,
    machines: tuple[str, ...],
    stateless: bool,
    confirm: str | None,
    provider: str | None,
    as_json: bool,
) -> None:
    """Throw machines away, and boot them anew.

    One after the other, each from its image and user data; a data volume and the kept folders of
    the code stay. The environment is proved before and after each, and the time from throwing
    away to expected behaviour is told.
    """
    refuse_on_aws(
        "replace",
        "on AWS an instance that is terminated by hand is seen by greenroom drift, and greenroom "
        "update boots what the blueprint changed",
        provider,
    )
    if stateless == bool(machines):
        raise UsageError(
            "E_USAGE",
            "either name machines or say --stateless",
            hint=f"greenroom show {environment} lists its machines",
        )
    client = connect()
    confirm = typed_for_production(
        client, environment, confirm, "replace machines of", as_json=as_json
    )
    followed = run_operation(
        client,
        {
            "kind": "replace",
            "environment": environment,
            "machines": list(machines),
            "stateless": stateless,
            "confirm": confirm,
        },
        as_json=as_json,
    )
    say_replaced(client, followed, "replaced", as_json=as_json)
