"""The daemon's HTTP API: a thin door. It parses, asks the control plane, and serialises."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from greenroom import __version__
from greenroom.app.control_plane import ControlPlane
from greenroom.app.follow import follow
from greenroom.app.image_builds import build_images, chosen_images, refuse_image_in_use
from greenroom.app.lookup import machine_named
from greenroom.blueprint.nearest import unknown
from greenroom.errors import Fault, GreenroomError, InputError, RefusedError, UsageError
from greenroom.model.events import Event
from greenroom.model.proof import Proof
from greenroom.model.requests import (
    CreateRequest,
    DeployRequest,
    DestroyRequest,
    RecoverRequest,
)
from greenroom.model.views import EnvironmentDetail, EnvironmentView, OperationView
from greenroom.providers.local import images
from greenroom.providers.local.logs import LogReader, log_services, readers
from greenroom.providers.local.provider import LocalProvider

_NDJSON = "application/x-ndjson"
_LOG_POLL_S = 0.1
_STATUS_BY_ERROR: dict[type[GreenroomError], int] = {
    InputError: 422,
    UsageError: 400,
    RefusedError: 409,
}
_EVENT = TypeAdapter(Event)
"""Made once: an adapter takes longer to build than to use a thousand times."""


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

    def request(self) -> CreateRequest:
        """The parsed request."""
        return CreateRequest(
            blueprint=self.blueprint,
            machines=tuple(self.machines),
            branch=self.branch,
            restore=tuple(self.restore.items()),
            mounts=tuple(self.mounts.items()),
            shared=tuple(self.shared),
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


OperationBody = Annotated[
    CreateBody | DeployBody | DestroyBody | RecoverBody, Field(discriminator="kind")
]


class BuildBody(_Body):
    """``greenroom image build``; no names: all of the blueprint's images."""

    blueprint: Path
    names: list[str] = []


class Command(BaseModel):
    """A command line for the client to execute."""

    argv: list[str]


def make_api(control: ControlPlane, provider: LocalProvider) -> FastAPI:
    """The application that the daemon serves on its unix socket."""
    api = FastAPI(title="greenroom", version=__version__, docs_url=None, redoc_url=None)
    started_at = datetime.now(UTC)
    api.add_exception_handler(GreenroomError, _problem)
    api.add_exception_handler(RequestValidationError, _bad_request)
    _add_operations(api, control)
    _add_environments(api, control, provider)
    _add_images(api, control, provider)

    @api.get("/v1/status")
    def status() -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "region": provider.layout.region.name,
            "started_at": started_at.isoformat(),
        }

    return api


def _add_operations(api: FastAPI, control: ControlPlane) -> None:
    @api.post("/v1/operations", status_code=202)
    def submit(body: OperationBody) -> OperationView:
        return control.submit(body.request())

    @api.get("/v1/operations/{operation_id}")
    def operation(operation_id: str) -> OperationView:
        return control.operation(operation_id)

    @api.post("/v1/operations/{operation_id}/cancel", status_code=202)
    def cancel(operation_id: str) -> OperationView:
        return control.cancel(operation_id)

    @api.get("/v1/operations/{operation_id}/events")
    def events(operation_id: str, after: int = 0) -> StreamingResponse:
        control.operation(operation_id)
        stream = follow(control, operation_id, after)
        return StreamingResponse(_event_lines(stream), media_type=_NDJSON)


def _add_environments(api: FastAPI, control: ControlPlane, provider: LocalProvider) -> None:
    @api.get("/v1/environments")
    def environments() -> list[EnvironmentView]:
        return list(control.environments())

    @api.get("/v1/environment")
    def environment(name: str) -> EnvironmentDetail:
        return control.environment(name)

    @api.post("/v1/environment/flows")
    def flows(name: str) -> Proof:
        return control.prove(name)

    @api.get("/v1/environment/command")
    def command(
        name: str, machine: str, arg: Annotated[list[str], Query()], tty: bool = False
    ) -> Command:
        stack = control.stack_of(name)
        chosen = machine_named(stack, machine)
        return Command(argv=provider.exec_argv(stack, chosen, arg, tty))

    @api.get("/v1/environment/logs")
    def logs(
        name: str, machine: str | None = None, service: str | None = None, follow: bool = False
    ) -> StreamingResponse:
        stack = control.stack_of(name)
        chosen = [machine_named(stack, machine)] if machine else stack.machines
        places = [provider.layout.machine(stack.environment, m.name) for m in chosen]
        found = [reader for place in places for reader in readers(place, service)]
        if service is not None and not found:
            known = {name for place in places for name in log_services(place)}
            raise InputError(
                "E_SERVICE",
                unknown("service", service, known),
                hint=f"services that have a log: {', '.join(sorted(known))}",
            )
        return StreamingResponse(_log_lines(found, follow), media_type=_NDJSON)


def _add_images(api: FastAPI, control: ControlPlane, provider: LocalProvider) -> None:
    @api.get("/v1/images")
    def list_images() -> list[images.BuiltImage]:
        return list(images.list_images(provider.layout))

    @api.post("/v1/images/build")
    def build(body: BuildBody) -> StreamingResponse:
        chosen = chosen_images(body.blueprint, tuple(body.names))
        lines = (_event_line(event) for event in build_images(provider, chosen))
        return StreamingResponse(lines, media_type=_NDJSON)

    @api.delete("/v1/images")
    def remove(digest: str) -> dict[str, list[str]]:
        stacks = [control.stack_of(view.name) for view in control.environments()]
        refuse_image_in_use(digest, stacks)
        if not images.remove_image(provider.layout, digest):
            raise InputError(
                "E_IMAGE", f"there is no image {digest}", hint="see greenroom image list"
            )
        return {"removed": [digest]}


def _event_line(event: Event) -> bytes:
    return _EVENT.dump_json(event) + b"\n"


async def _event_lines(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        yield _event_line(event)


async def _log_lines(found: list[LogReader], follow: bool) -> AsyncIterator[bytes]:
    while found:
        for reader in found:
            for line in reader.read_new():
                fields = {"machine": line.machine, "service": line.service, "line": line.line}
                yield json.dumps(fields).encode() + b"\n"
        # A destroyed environment's logs say nothing more.
        found = [reader for reader in found if follow and reader.place.log.is_dir()]
        await asyncio.sleep(_LOG_POLL_S)


async def _problem(request: Request, error: Exception) -> JSONResponse:
    """A GreenroomError as RFC 9457's problem+json, with our code and exit code beside it."""
    assert isinstance(error, GreenroomError)
    status = next((s for kind, s in _STATUS_BY_ERROR.items() if isinstance(error, kind)), 500)
    body = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
        "faults": [_fault(fault) for fault in error.faults],
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def _fault(fault: Fault) -> dict[str, Any]:
    return fault._asdict()


async def _bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    usage = UsageError("E_REQUEST", f"{where}: {first['msg']}")
    return await _problem(request, usage)
