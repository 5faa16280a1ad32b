"""``list``, ``show`` and ``open`` on AWS."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from greenroom.app.cloud.evidence import urls_of
from greenroom.app.cloud.look import find, list_environments, show
from greenroom.cli.cloud.environments import (
    detail_json,
    detail_lines,
    environment_json,
    list_lines,
)
from greenroom.cli.cloud.here import inventory_here
from greenroom.cli.request import stack_here
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.errors import OperationError


def list_on_aws(region: str | None, profile: str | None, *, as_json: bool) -> None:
    """``greenroom list --provider aws``."""
    inventory = inventory_here(region, profile)
    now = datetime.now(UTC)
    environments = list_environments(inventory, now)
    if as_json:
        say_json([environment_json(each) for each in environments])
    elif not environments:
        say(
            f"there is no environment on AWS in {inventory.region}; "
            "greenroom create --provider aws boots one"
        )
    else:
        head, *lines = list_lines(environments, now)
        say(Paint(sys.stdout)("dim", head))
        for line in lines:
            say(line)


def show_on_aws(
    region: str | None, profile: str | None, environment: str | None, *, as_json: bool
) -> None:
    """``greenroom show --provider aws``."""
    now = datetime.now(UTC)
    detail = show(inventory_here(region, profile), environment, stack_here(), now)
    if as_json:
        say_json(detail_json(detail))
        return
    for line in detail_lines(detail, now, Paint(sys.stdout)):
        say(line)


def urls_on_aws(region: str | None, profile: str | None, environment: str | None) -> list[str]:
    """The URLs of an environment's endpoints; raises OperationError E_NO_URL if there is none."""
    stack = find(inventory_here(region, profile), environment, stack_here())
    urls = urls_of(stack)
    if not urls:
        name = stack.identity.environment if stack.identity else stack.name
        raise OperationError(
            "E_NO_URL",
            f"{name} has no endpoint (its stack is {stack.status})",
            hint=f"greenroom show --provider aws {name} tells where it stands; "
            "a machine type gets an endpoint in the blueprint",
        )
    return list(urls)
