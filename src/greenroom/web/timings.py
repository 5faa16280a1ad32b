"""How long restores, boots and drills took over the past."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from greenroom.app.timings import Timings
from greenroom.model.timings import Timing

_MOST = 2000


def timing_routes(timings: Timings) -> APIRouter:
    """The rows of the past, for whoever plots them."""
    routes = APIRouter()

    @routes.get("/v1/drills")
    def drills(
        stack: str | None = None, limit: Annotated[int, Query(ge=1, le=_MOST)] = 200
    ) -> list[Timing]:
        return list(timings.newest(stack, limit))

    @routes.get("/v1/operations/{operation_id}/timings")
    def of_operation(operation_id: str) -> list[Timing]:
        return list(timings.of_operation(operation_id))

    return routes
