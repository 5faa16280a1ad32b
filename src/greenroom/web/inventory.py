"""The inventory over HTTP: machines now, machines then, and what changed between."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from greenroom.app.inventory.service import Inventory
from greenroom.model.access import EVERY_STACK, Caller
from greenroom.model.inventory import Health, MachineChange, MachinePage, MachineQuery
from greenroom.web.access import Asking

PAGE_MAX = 10_000


def inventory_routes(inventory: Inventory) -> APIRouter:
    """Everything below /v1/inventory."""
    routes = APIRouter(prefix="/v1/inventory")

    @routes.get("")
    def machines(
        query: Asked,
        at: AwareDatetime | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1000,
    ) -> MachinePage:
        if at is not None:
            return MachinePage(machines=inventory.machines_at(query, at), next=None)
        return inventory.machines(query, after=after, limit=limit)

    @routes.get("/changes")
    def changes(
        query: Asked,
        since: AwareDatetime,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1000,
    ) -> tuple[MachineChange, ...]:
        return inventory.changes(query, since, limit)

    return routes


def asked_machines(
    caller: Asking,
    environment: str | None = None,
    stack: str | None = None,
    role: str | None = None,
    branch: str | None = None,
    health: Health | None = None,
) -> MachineQuery:
    """The machines that a request asks for, as far as its caller may see them."""
    return MachineQuery(
        environment=environment,
        stack=stack,
        role=role,
        branch=branch,
        health=health,
        stacks=visible_stacks(caller),
    )


Asked = Annotated[MachineQuery, Depends(asked_machines)]


def visible_stacks(caller: Caller) -> frozenset[str] | None:
    """The stacks that the caller has a role on; None stands for all."""
    stacks = frozenset(grant.stack for grant in caller.grants)
    return None if EVERY_STACK in stacks else stacks
