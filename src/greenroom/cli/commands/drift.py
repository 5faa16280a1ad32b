"""``greenroom drift``."""

from __future__ import annotations

from greenroom.cli.declare import ANY_ENVIRONMENT, JSON, command
from greenroom.cli.provider import AWS, on_aws
from greenroom.errors import UsageError


@command("drift", ANY_ENVIRONMENT, *AWS, JSON)
def drift(
    environment: str | None,
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Name what differs between an environment and the account.

    On AWS only. Exits with 3 if anything does; of a local environment, flows tells the like.
    """
    if not on_aws(provider):
        raise UsageError(
            "E_USAGE",
            "drift looks at environments on AWS",
            hint="add --provider aws; for a local environment: greenroom flows",
        )
    from greenroom.cli.cloud.drift import drift_on_aws

    drift_on_aws(region, profile, environment, as_json=as_json)
