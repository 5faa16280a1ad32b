"""The daemon's HTTP API: thin doors. Each parses, asks the control plane, and serialises."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI

from greenroom import __version__
from greenroom.app.access import Access
from greenroom.app.control_plane import ControlPlane
from greenroom.app.inventory.service import Inventory
from greenroom.app.jobs.service import Jobs
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.providers.local.provider import LocalProvider
from greenroom.web.audit import audit_routes
from greenroom.web.environments import environment_routes
from greenroom.web.images import image_routes
from greenroom.web.inventory import inventory_routes
from greenroom.web.jobs import execution_routes, job_routes
from greenroom.web.lifetimes import lifetime_routes
from greenroom.web.operations import operation_routes
from greenroom.web.place import WebPlace
from greenroom.web.problems import add_problems
from greenroom.web.tickets import ticket_routes
from greenroom.web.timings import timing_routes
from greenroom.web.tokens import token_routes


def make_api(
    control: ControlPlane,
    provider: LocalProvider,
    inventory: Inventory,
    timings: Timings,
    access: Access,
    lifetimes: Lifetimes,
    jobs: Jobs,
    sessions: Sessions,
    place: WebPlace,
) -> FastAPI:
    """The application that the daemon serves on its unix socket, and at ``place``."""
    api = FastAPI(title="greenroom", version=__version__, docs_url=None, redoc_url=None)
    started_at = datetime.now(UTC)
    api.state.access = access
    add_problems(api)
    api.include_router(operation_routes(control, jobs))
    api.include_router(environment_routes(control, provider))
    api.include_router(image_routes(control, provider))
    api.include_router(inventory_routes(inventory, control, provider.layout.region))
    api.include_router(timing_routes(timings))
    api.include_router(token_routes(access.tokens))
    api.include_router(audit_routes(access.audit))
    api.include_router(lifetime_routes(lifetimes))
    api.include_router(job_routes(jobs))
    api.include_router(execution_routes(jobs))
    api.include_router(ticket_routes(sessions, place))

    @api.get("/v1/status")
    def status() -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "region": provider.layout.region.name,
            "started_at": started_at.isoformat(),
            "web_url": place.url,
            "web_notice": place.notice,
        }

    return api
