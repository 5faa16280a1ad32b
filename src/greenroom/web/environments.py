"""Environments over HTTP: the list, one whole, its flows, its logs, a command in a machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from greenroom.app.control_plane import ControlPlane
from greenroom.app.inside import command_argv
from greenroom.app.lookup import exact_name, machine_named
from greenroom.app.rights import may_read, require
from greenroom.blueprint.nearest import unknown
from greenroom.errors import InputError
from greenroom.model.access import Action
from greenroom.model.audit import Outcome
from greenroom.model.proof import Proof
from greenroom.model.stack import Stack
from greenroom.model.views import EnvironmentDetail, EnvironmentView
from greenroom.ports import Host, LogFollower
from greenroom.web.access import Asking
from greenroom.web.event_stream import NDJSON, ndjson, one_stream
from greenroom.web.rights import needs, needs_somewhere

_LOG_POLL_S = 0.1
_ONE = "/v1/environments/{stack}/{slug}"


class Command(BaseModel):
    """A command line for the client to execute."""

    argv: list[str]


class Found(BaseModel):
    """The environment that a person means."""

    name: str


def environment_routes(control: ControlPlane, host: Host) -> APIRouter:
    """The environments that exist, and what is in them."""
    routes = APIRouter(tags=["environments"])
    _add_list(routes, control)
    _add_one(routes, control)
    _add_command(routes, control, host)
    _add_logs(routes, control, host)
    return routes


def _add_list(routes: APIRouter, control: ControlPlane) -> None:
    @routes.get("/v1/environments", dependencies=[needs_somewhere(Action.READ)])
    def list_environments(caller: Asking) -> list[EnvironmentView]:
        """The environments of the stacks that the caller may read, by name."""
        return [each for each in control.environments() if may_read(caller, each.name)]

    @routes.get("/v1/lookup", dependencies=[needs_somewhere(Action.READ)])
    def look_up(name: str, caller: Asking) -> Found:
        """The full name of the environment that a person means: a full name, a slug or a raw
        branch, with or without the stack before it."""
        return Found(name=control.full_name(name, caller))


def _add_one(routes: APIRouter, control: ControlPlane) -> None:
    @routes.get(_ONE, dependencies=[needs(Action.READ)])
    def get_environment(stack: str, slug: str, caller: Asking) -> EnvironmentDetail:
        """All of an environment: machines, phases, restores, proof, incidents."""
        return control.environment(exact_name(stack, slug), caller)

    @routes.post(f"{_ONE}/flows", dependencies=[needs(Action.PROVE, recorded=Outcome.DONE)])
    def prove_environment(stack: str, slug: str, caller: Asking) -> Proof:
        """Probe who reaches whom now, judge it, and keep what came out. Takes seconds."""
        return control.prove(exact_name(stack, slug), caller)


def _add_command(routes: APIRouter, control: ControlPlane, host: Host) -> None:
    @routes.get(f"{_ONE}/command", dependencies=[needs(Action.EXEC, recorded=Outcome.DONE)])
    def get_command(
        stack: str,
        slug: str,
        machine: str,
        arg: Annotated[list[str], Query()],
        caller: Asking,
        tty: bool = False,
    ) -> Command:
        """The command line that runs ``arg`` in a machine, for root of this host to execute."""
        found = control.standing_stack_of(exact_name(stack, slug), "exec")
        # Asked of what was found: since the route asked, it may have become production.
        require(caller, Action.EXEC, found.environment.stack, production=found.production)
        wrapped = command_argv(str(found.environment), machine, arg)
        return Command(argv=host.exec_argv(found, machine_named(found, machine), wrapped, tty))


def _add_logs(routes: APIRouter, control: ControlPlane, host: Host) -> None:
    @routes.get(
        f"{_ONE}/logs",
        dependencies=[needs(Action.READ), one_stream()],
        **ndjson("One line of a log each."),
    )
    def get_logs(
        stack: str,
        slug: str,
        machine: str | None = None,
        service: str | None = None,
        follow: bool = False,
    ) -> StreamingResponse:
        """The services' log lines as NDJSON: of all machines or one, of all services or one;
        without an end if ``follow`` is true."""
        found = control.stack_of(exact_name(stack, slug))
        followers = log_readers(host, found, machine, service)
        if service is not None and not followers:
            raise _no_such_log(service, log_readers(host, found, machine))
        return StreamingResponse(_log_lines(followers, follow), media_type=NDJSON)


def _no_such_log(service: str, readers: Sequence[LogFollower]) -> InputError:
    known = {each.service for each in readers}
    return InputError(
        "E_SERVICE",
        unknown("service", service, known),
        hint=f"services that have a log: {', '.join(sorted(known))}",
    )


def log_readers(
    host: Host, stack: Stack, machine: str | None, service: str | None = None
) -> Sequence[LogFollower]:
    """The logs of a Stack's machines, or of the one that is named."""
    chosen = [machine_named(stack, machine)] if machine else stack.machines
    return [each for m in chosen for each in host.log_followers(stack, m, service)]


async def _log_lines(found: Sequence[LogFollower], follow: bool) -> AsyncIterator[bytes]:
    while found:
        for follower in found:
            for line in follower.read_new():
                fields = {"machine": line.machine, "service": line.service, "line": line.line}
                yield json.dumps(fields).encode() + b"\n"
        found = [follower for follower in found if follow and follower.goes_on()]
        await asyncio.sleep(_LOG_POLL_S)
