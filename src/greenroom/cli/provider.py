"""``--provider`` and what goes with it: options of every command that also works on AWS."""

from __future__ import annotations

import os
from collections.abc import Mapping

from greenroom.cli.declare import Option
from greenroom.errors import RefusedError, UsageError

PROVIDERS = ("local", "aws")

PROVIDER = Option(
    "--provider",
    metavar="local|aws",
    help="This host, or AWS [default: GREENROOM_PROVIDER, else local].",
)
REGION = Option("--region", help="AWS region [default: AWS_REGION, else the blueprint's].")
PROFILE = Option("--profile", metavar="NAME", help="AWS profile [default: AWS_PROFILE].")
AWS = (PROVIDER, REGION, PROFILE)

ROLE = Option(
    "--role",
    metavar="ARN",
    help="AWS: service role that CloudFormation takes [default: GREENROOM_AWS_ROLE].",
)
KEEP_FAILED = Option(
    "--keep-failed", flag=True, help="AWS: leave what failed as it is, for a look."
)
MAX_COST = Option(
    "--max-cost-usd-per-day",
    metavar="USD",
    help="AWS: refuse what would cost more for a day.",
)
CONFIRM = Option("--confirm", metavar="NAME", help="The name again; production asks for it.")


def on_aws(provider: str | None) -> bool:
    """Whether the command is for AWS; raises UsageError for a provider that is not there."""
    chosen = provider or os.environ.get("GREENROOM_PROVIDER") or PROVIDERS[0]
    if chosen not in PROVIDERS:
        raise UsageError(
            "E_PROVIDER",
            f"there is no provider {chosen!r}",
            hint=f"providers: {', '.join(PROVIDERS)}",
        )
    return chosen == "aws"


def refuse_aws_options(given: Mapping[str, object]) -> None:
    """An option that only AWS has means nothing here; better said than ignored."""
    for name, value in given.items():
        if value not in (None, False):
            raise UsageError(
                "E_USAGE",
                f"--{name.replace('_', '-')} is for AWS",
                hint="add --provider aws, or leave it out",
            )


def refuse_on_aws(command: str, hint: str, provider: str | None) -> None:
    """Refuse a command that AWS has no side of where AWS is meant: it would look for an
    environment of that name on this host. Raises RefusedError E_LOCAL_ONLY."""
    if on_aws(provider):
        said = "--provider" if provider else "GREENROOM_PROVIDER"
        raise RefusedError(
            "E_LOCAL_ONLY",
            f"{command} is for this host, and {said} says aws",
            hint=f"{hint}\nfor a local environment: GREENROOM_PROVIDER=local greenroom {command}",
        )
