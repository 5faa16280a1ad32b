"""``greenroom update``: on AWS a change set; on this host there is nothing that updates."""

from __future__ import annotations

from typing import Any

from greenroom.cli.declare import ANY_ENVIRONMENT, JSON, command
from greenroom.cli.provider import (
    AWS,
    CONFIRM,
    KEEP_FAILED,
    MAX_COST,
    ROLE,
    on_aws,
)
from greenroom.cli.request import UPDATE_REQUEST, Wanted
from greenroom.cli.words import rewrite_words
from greenroom.errors import UsageError


@command(
    "update",
    ANY_ENVIRONMENT,
    *UPDATE_REQUEST,
    *AWS,
    ROLE,
    CONFIRM,
    KEEP_FAILED,
    MAX_COST,
    JSON,
    rewrite=rewrite_words,
)
def update(
    environment: str | None,
    provider: str | None,
    region: str | None,
    profile: str | None,
    role: str | None,
    confirm: str | None,
    keep_failed: bool,
    max_cost_usd_per_day: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Change an environment on AWS to what the blueprint says now.

    Machines and restores are those of its create, unless they are named anew. Only what must be is
    replaced; what that is, is told before it is done. Production asks for --confirm NAME if
    anything of it would be replaced or removed.
    """
    if not on_aws(provider):
        raise UsageError(
            "E_UPDATE_LOCAL",
            "update is for AWS: a local environment is created in seconds",
            hint="new code: greenroom deploy ENV; a changed blueprint: greenroom destroy ENV, then "
            "greenroom create; on AWS: add --provider aws",
        )
    from greenroom.cli.cloud.asked import AwsAsked
    from greenroom.cli.cloud.update import update_on_aws

    aws = AwsAsked(
        region=region,
        profile=profile,
        role=role,
        keep_failed=keep_failed,
        max_cost_usd_per_day=max_cost_usd_per_day,
        confirm=confirm,
    )
    update_on_aws(environment, Wanted(**asked, mount=(), shared=()), aws, as_json=as_json)
