"""The inventory over HTTP: machines now, machines then, what changed between, and the formats of
those who ask for them."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import PlainTextResponse, Response

from greenroom.app.control_plane import ControlPlane
from greenroom.app.inventory.ansible import render_ansible, render_ansible_host
from greenroom.app.inventory.dotenv import render_dotenv
from greenroom.app.inventory.enc import render_enc
from greenroom.app.inventory.http_sd import render_http_sd
from greenroom.app.inventory.naming import chosen, query_of
from greenroom.app.inventory.service import Inventory
from greenroom.app.inventory.ssh_config import HOST_KEY_ALIAS, SshAccess, render_ssh_config
from greenroom.app.rights import readable_stacks
from greenroom.model.access import Action, Caller
from greenroom.model.inventory import (
    Health,
    MachineChange,
    MachinePage,
    MachineQuery,
    MachineRecord,
)
from greenroom.providers.local import ssh_keys
from greenroom.region import Region
from greenroom.web.access import Asking
from greenroom.web.moments import Moment
from greenroom.web.rights import needs_somewhere

PAGE_MAX = 10_000
_PRINTABLE = "^[ -~]+$"
_Port = Annotated[int, Query(ge=1, le=65535)]
_Program = Annotated[str, Query(pattern=_PRINTABLE, max_length=4096)]
"""greenroom's command line where the answer will be used; it goes into files by lines."""


class Format(StrEnum):
    """What an inventory can be written as, besides our own JSON."""

    ANSIBLE = "ansible"
    SSH = "ssh"


class MachineFormat(StrEnum):
    """What one machine can be written as."""

    ANSIBLE = "ansible"
    ENC = "enc"


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
        stacks=readable_stacks(caller),
    )


Asked = Annotated[MachineQuery, Depends(asked_machines)]


def inventory_routes(inventory: Inventory, control: ControlPlane, region: Region) -> APIRouter:
    """Everything below /v1/inventory."""
    routes = APIRouter(prefix="/v1/inventory", tags=["inventory"])
    _add_records(routes, inventory)
    _add_formats(routes, inventory, control, region)
    return routes


def _add_records(routes: APIRouter, inventory: Inventory) -> None:
    @routes.get("", dependencies=[needs_somewhere(Action.READ)])
    def list_machines(
        query: Asked,
        at: Moment | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1000,
    ) -> MachinePage:
        """The machines of the stacks that the caller may read, as they are or were at a time; with
        ``at`` a page may hold fewer than ``limit``, also none, and still have a ``next``."""
        if at is not None:
            return inventory.machines_at(query, at, after=after, limit=limit)
        return inventory.machines(query, after=after, limit=limit)

    @routes.get("/changes", dependencies=[needs_somewhere(Action.READ)])
    def list_machine_changes(
        query: Asked,
        since: Moment,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1000,
    ) -> tuple[MachineChange, ...]:
        """What came, went or changed since a time, the oldest first."""
        return inventory.changes(query, since, limit)


def _add_formats(
    routes: APIRouter, inventory: Inventory, control: ControlPlane, region: Region
) -> None:
    @routes.get("/http_sd", dependencies=[needs_somewhere(Action.READ)])
    def get_http_sd(query: Asked, port: _Port) -> Response:
        """For Prometheus: every machine that should run, at this port."""
        text = render_http_sd(inventory.targets(query), port)
        return Response(text, media_type="application/json")

    @routes.get(
        "/dotenv", response_class=PlainTextResponse, dependencies=[needs_somewhere(Action.READ)]
    )
    def get_dotenv(name: str, caller: Asking) -> str:
        """For programs: the machines of one environment."""
        environment = control.full_name(name, caller)
        query = MachineQuery(environment=environment, stacks=readable_stacks(caller))
        return render_dotenv(inventory.machines(query).machines)

    @routes.get(
        "/as/{format_}",
        response_class=PlainTextResponse,
        dependencies=[needs_somewhere(Action.READ)],
    )
    def get_inventory_as(format_: Format, query: Asked, program: _Program = "greenroom") -> str:
        """For Ansible and ssh: the machines that run, and how to get into them."""
        records = inventory.machines(query).machines
        render = render_ansible if format_ is Format.ANSIBLE else render_ssh_config
        return render(records, _ssh_access(region, program))

    @routes.get(
        "/machine/as/{format_}",
        response_class=PlainTextResponse,
        dependencies=[needs_somewhere(Action.READ)],
    )
    def get_machine_as(
        format_: MachineFormat, host: str, caller: Asking, program: _Program = "greenroom"
    ) -> str:
        """For Ansible and Puppet: one machine, by any of its names."""
        record = _named(inventory, host, caller)
        if format_ is MachineFormat.ENC:
            return render_enc(record)
        return render_ansible_host(record, _ssh_access(region, program))


def _named(inventory: Inventory, host: str, caller: Caller) -> MachineRecord:
    query = replace(query_of(host), stacks=readable_stacks(caller))
    return chosen(host, inventory.machines(query).machines)


def _ssh_access(region: Region, program: str) -> SshAccess:
    ssh_keys.ensure_keys(region.ssh_dir, HOST_KEY_ALIAS)
    return SshAccess(
        program=program,
        identity=str(region.ssh_dir / ssh_keys.IDENTITY),
        known_hosts=str(region.ssh_dir / ssh_keys.KNOWN_HOSTS),
    )
