"""Environments over HTTP: the list, one whole, its flows, its logs, a command in a machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from greenroom.app.control_plane import ControlPlane
from greenroom.app.lookup import machine_named
from greenroom.app.rights import require
from greenroom.blueprint.nearest import unknown
from greenroom.errors import InputError
from greenroom.model.access import Action
from greenroom.model.proof import Proof
from greenroom.model.stack import Stack
from greenroom.model.views import EnvironmentDetail, EnvironmentView
from greenroom.providers.local.logs import LogReader, readers
from greenroom.providers.local.provider import LocalProvider
from greenroom.web.access import Asking
from greenroom.web.event_stream import NDJSON

_LOG_POLL_S = 0.1


class Command(BaseModel):
    """A command line for the client to execute."""

    argv: list[str]


def environment_routes(control: ControlPlane, provider: LocalProvider) -> APIRouter:
    """The environments that exist, and what is in them."""
    routes = APIRouter()

    @routes.get("/v1/environments")
    def environments() -> list[EnvironmentView]:
        return list(control.environments())

    @routes.get("/v1/environment")
    def environment(name: str) -> EnvironmentDetail:
        return control.environment(name)

    @routes.post("/v1/environment/flows")
    def flows(name: str, caller: Asking) -> Proof:
        return control.prove(name, caller)

    @routes.get("/v1/environment/command")
    def command(
        name: str,
        machine: str,
        arg: Annotated[list[str], Query()],
        caller: Asking,
        tty: bool = False,
    ) -> Command:
        stack = control.standing_stack_of(name, "exec")
        require(caller, Action.EXEC, stack.environment.stack, production=stack.production)
        chosen = machine_named(stack, machine)
        return Command(argv=provider.exec_argv(stack, chosen, arg, tty))

    @routes.get("/v1/environment/logs")
    def logs(
        name: str, machine: str | None = None, service: str | None = None, follow: bool = False
    ) -> StreamingResponse:
        stack = control.stack_of(name)
        found = log_readers(provider, stack, machine, service)
        if service is not None and not found:
            known = {each.service for each in log_readers(provider, stack, machine)}
            raise InputError(
                "E_SERVICE",
                unknown("service", service, known),
                hint=f"services that have a log: {', '.join(sorted(known))}",
            )
        return StreamingResponse(_log_lines(found, follow), media_type=NDJSON)

    return routes


def log_readers(
    provider: LocalProvider, stack: Stack, machine: str | None, service: str | None = None
) -> list[LogReader]:
    """The logs of a Stack's machines, or of the one that is named."""
    chosen = [machine_named(stack, machine)] if machine else stack.machines
    places = [provider.layout.machine(stack.environment, each.name) for each in chosen]
    return [reader for place in places for reader in readers(place, service)]


async def _log_lines(found: list[LogReader], follow: bool) -> AsyncIterator[bytes]:
    while found:
        for reader in found:
            for line in reader.read_new():
                fields = {"machine": line.machine, "service": line.service, "line": line.line}
                yield json.dumps(fields).encode() + b"\n"
        # A destroyed environment's logs say nothing more.
        found = [reader for reader in found if follow and reader.place.log.is_dir()]
        await asyncio.sleep(_LOG_POLL_S)
