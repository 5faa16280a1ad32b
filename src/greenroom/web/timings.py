"""How long restores, boots and drills took over the past."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from greenroom.app.control_plane import ControlPlane
from greenroom.app.rights import may_read, require
from greenroom.app.timings import Timings
from greenroom.model.access import Action
from greenroom.model.timings import Timing
from greenroom.web.access import Asking
from greenroom.web.rights import needs_somewhere

_MOST = 2000


def timing_routes(timings: Timings, control: ControlPlane) -> APIRouter:
    """The rows of the past, for whoever plots them."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/v1/drills", dependencies=[needs_somewhere(Action.READ)])
    def list_drills(
        caller: Asking,
        stack: str | None = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 200,
    ) -> list[Timing]:
        """Of one stack, or of all that the caller may read; the newest first."""
        if stack is not None:
            require(caller, Action.READ, stack)
        found = timings.newest(stack, limit)
        return [each for each in found if may_read(caller, each.environment)]

    @routes.get(
        "/v1/operations/{operation_id}/timings", dependencies=[needs_somewhere(Action.READ)]
    )
    def list_timings(operation_id: str, caller: Asking) -> list[Timing]:
        """What one operation took, machine by machine."""
        control.operation(operation_id, caller)
        return list(timings.of_operation(operation_id))

    return routes
