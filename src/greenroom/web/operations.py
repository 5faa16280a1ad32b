"""Operations: what is begun, followed and cancelled over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.control_plane import ControlPlane
from greenroom.app.follow import follow
from greenroom.app.jobs.service import Jobs
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
from greenroom.web.event_stream import NDJSON, event_lines


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


def operation_routes(control: ControlPlane, jobs: Jobs) -> APIRouter:
    """Begin, follow and cancel operations."""
    routes = APIRouter()

    @routes.post("/v1/operations", status_code=202)
    def submit(body: OperationBody, caller: Asking) -> OperationView:
        operation = control.submit(body.request(), caller)
        if isinstance(body, CreateBody):
            jobs.register_beside(body.blueprint, caller)
        return operation

    @routes.get("/v1/operations/{operation_id}")
    def operation(operation_id: str) -> OperationView:
        return control.operation(operation_id)

    @routes.post("/v1/operations/{operation_id}/cancel", status_code=202)
    def cancel(operation_id: str, caller: Asking) -> OperationView:
        return control.cancel(operation_id, caller)

    @routes.get("/v1/operations/{operation_id}/events")
    def events(operation_id: str, after: int = 0) -> StreamingResponse:
        control.operation(operation_id)
        stream = follow(control, operation_id, after)
        return StreamingResponse(event_lines(stream), media_type=NDJSON)

    return routes
