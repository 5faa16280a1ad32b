"""Operations: what is begun, followed and cancelled over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.control_plane import ControlPlane
from greenroom.app.follow import follow
from greenroom.model.access import Action
from greenroom.model.audit import Outcome
from greenroom.model.requests import (
    CreateRequest,
    DeployRequest,
    DestroyRequest,
    DrillRequest,
    RecoverRequest,
    ReplaceRequest,
    StartRequest,
    StopRequest,
)
from greenroom.model.views import OperationView
from greenroom.web.access import Asking
from greenroom.web.event_stream import NDJSON, event_lines, ndjson, one_stream
from greenroom.web.paging import LIMIT, Cursor, Limit, cursor_of, position_of
from greenroom.web.rights import concerns, needs_named, needs_somewhere


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreateBody(_Body):
    """``greenroom create``; see ``greenroom.model.requests``."""

    kind: Literal["create"]
    blueprint: Path
    machines: list[str] = []
    branch: str | None = None
    restore: dict[str, str] = {}
    mounts: dict[str, str] = {}
    shared: list[str] = []
    owner: str | None = None
    ttl_s: Annotated[float, Field(allow_inf_nan=False)] | None = None

    def request(self) -> CreateRequest:
        """The parsed request."""
        return CreateRequest(
            blueprint=self.blueprint,
            machines=tuple(self.machines),
            branch=self.branch,
            restore=tuple(self.restore.items()),
            mounts=tuple(self.mounts.items()),
            shared=tuple(self.shared),
            owner=self.owner,
            ttl_s=self.ttl_s,
        )


class DeployBody(_Body):
    """``greenroom deploy``."""

    kind: Literal["deploy"]
    environment: str
    types: list[str] = []

    def request(self) -> DeployRequest:
        """The parsed request."""
        return DeployRequest(environment=self.environment, types=tuple(self.types))


class DestroyBody(_Body):
    """``greenroom destroy``."""

    kind: Literal["destroy"]
    environment: str
    confirm: str | None = None

    def request(self) -> DestroyRequest:
        """The parsed request."""
        return DestroyRequest(environment=self.environment, confirm=self.confirm)


class RecoverBody(_Body):
    """``greenroom recover``."""

    kind: Literal["recover"]
    environment: str

    def request(self) -> RecoverRequest:
        """The parsed request."""
        return RecoverRequest(environment=self.environment)


class StopBody(_Body):
    """``greenroom stop``."""

    kind: Literal["stop"]
    environment: str

    def request(self) -> StopRequest:
        """The parsed request."""
        return StopRequest(environment=self.environment)


class StartBody(_Body):
    """``greenroom start``."""

    kind: Literal["start"]
    environment: str

    def request(self) -> StartRequest:
        """The parsed request."""
        return StartRequest(environment=self.environment)


class ReplaceBody(_Body):
    """``greenroom replace``."""

    kind: Literal["replace"]
    environment: str
    machines: list[str] = []
    stateless: bool = False
    confirm: str | None = None

    def request(self) -> ReplaceRequest:
        """The parsed request."""
        return ReplaceRequest(
            environment=self.environment,
            machines=tuple(self.machines),
            stateless=self.stateless,
            confirm=self.confirm,
        )


class DrillBody(_Body):
    """``greenroom drill``."""

    kind: Literal["drill"]
    environment: str
    throw_away: bool = False
    confirm: str | None = None

    def request(self) -> DrillRequest:
        """The parsed request."""
        return DrillRequest(
            environment=self.environment, throw_away=self.throw_away, confirm=self.confirm
        )


OperationBody = Annotated[
    CreateBody
    | DeployBody
    | DestroyBody
    | RecoverBody
    | StopBody
    | StartBody
    | ReplaceBody
    | DrillBody,
    Field(discriminator="kind"),
]


class OperationsPage(BaseModel):
    """Operations, the newest first; ``next`` is the cursor of the older ones, if there are any."""

    items: list[OperationView]
    next: str | None


def operation_routes(control: ControlPlane) -> APIRouter:
    """Begin, follow and cancel operations."""
    routes = APIRouter(tags=["operations"])

    @routes.post(
        "/v1/operations",
        status_code=202,
        dependencies=[needs_named(Action.CREATE, body=OperationBody)],
    )
    def submit_operation(body: OperationBody, caller: Asking) -> OperationView:
        """Begin a create, deploy, destroy or recover; its events tell how it goes."""
        return control.submit(body.request(), caller)

    @routes.get("/v1/operations", dependencies=[needs_somewhere(Action.READ)])
    def list_operations(
        caller: Asking,
        environment: str | None = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> OperationsPage:
        """Operations on the stacks that the caller may read, or on one environment, the newest
        first."""
        before = position_of("operations", cursor)
        found = control.operations(caller, environment, before, limit + 1)
        items = [view for _, view in found[:limit]]
        more = cursor_of("operations", found[limit - 1][0]) if len(found) > limit else None
        return OperationsPage(items=items, next=more)

    @routes.get("/v1/operations/{operation_id}", dependencies=[needs_somewhere(Action.READ)])
    def get_operation(operation_id: str, caller: Asking) -> OperationView:
        """Where an operation stands."""
        return control.operation(operation_id, caller)

    @routes.post(
        "/v1/operations/{operation_id}/cancel",
        status_code=202,
        dependencies=[needs_named(Action.CANCEL, recorded=Outcome.ACCEPTED)],
    )
    def cancel_operation(request: Request, operation_id: str, caller: Asking) -> OperationView:
        """Ask an operation to stop and to take back what it did; one that has ended stays."""
        found = control.operation(operation_id, caller)
        concerns(request, found.environment, operation_id)
        return control.cancel(operation_id, caller)

    @routes.get(
        "/v1/operations/{operation_id}/events",
        dependencies=[needs_somewhere(Action.READ), one_stream()],
        **ndjson("One event each, until the operation has ended."),
    )
    def follow_operation(
        operation_id: str, caller: Asking, after: Annotated[int, Query(ge=0)] = 0
    ) -> StreamingResponse:
        """The operation's events past ``after`` as NDJSON, as they happen."""
        control.operation(operation_id, caller)
        stream = follow(control, operation_id, after)
        return StreamingResponse(event_lines(stream), media_type=NDJSON)

    return routes
