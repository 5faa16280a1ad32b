"""The way from a create request to a Stack, as the door needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from greenroom.blueprint.parse import load_blueprint
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import Stack
from greenroom.plan.allocation import Allocation
from greenroom.plan.plan import plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A parsed blueprint that waits for its place in the region.

    ``resolve`` takes the subnet's index, the environment's secret and the slugs that the stack's
    branches have taken already. It is pure, and quick: it runs within a transaction.
    """

    stack_name: str
    resolve: Callable[[int, str, Mapping[str, str]], Stack]


Planner = Callable[[CreateRequest], Draft]
"""Parses the blueprint that a request names; raises InputError with all its faults."""


def blueprint_planner(*, region_cidr: IPv4Network, agent_sha256: str) -> Planner:
    """The planner that reads blueprint files, for a region of these addresses."""

    def draft(request: CreateRequest) -> Draft:
        blueprint = load_blueprint(request.blueprint)

        def resolve(index: int, secret: str, taken: Mapping[str, str]) -> Stack:
            allocation = Allocation(
                index=index,
                secret=secret,
                taken=taken,
                agent_sha256=agent_sha256,
                region_cidr=region_cidr,
            )
            return plan(blueprint, request, allocation)

        return Draft(stack_name=blueprint.stack, resolve=resolve)

    return draft
