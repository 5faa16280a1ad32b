"""``greenroom extend``."""

from __future__ import annotations

from greenroom.cli.connect import connect
from greenroom.cli.declare import ENVIRONMENT, JSON, Argument, command
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.cli.request import ttl_of
from greenroom.cli.terminal import say, say_json
from greenroom.cli.text import at_minute, clean, until


@command(
    "extend",
    ENVIRONMENT,
    Argument("duration", metavar="DURATION", required=False),
    PROVIDER,
    JSON,
)
def extend(environment: str, duration: str | None, provider: str | None, as_json: bool) -> None:
    """Let an environment live longer.

    DURATION counts from now, such as 8h or 2d [default: the ttl that it was created with]. An
    environment that would live longer anyhow stays as it is. Working hours do not stop it before
    they begin again.
    """
    refuse_on_aws(
        "extend",
        "on AWS nothing acts on an environment's end; greenroom show --provider aws ENV tells it",
        provider,
    )
    extension = connect().extend(environment, ttl_of("DURATION", duration))
    if as_json:
        say_json(extension)
        return
    name = clean(extension["environment"])
    if extension["expires_at"] is not None:
        end = extension["expires_at"]
        say(f"{name} expires {until(end)}, at {at_minute(end)}")
    if extension["awake_until"] is not None:
        say(f"working hours do not stop it before {at_minute(extension['awake_until'])}")
