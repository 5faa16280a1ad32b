"""The daemon's HTTP API: thin doors. Each parses, asks the control plane, and serialises."""

from __future__ import annotations

from fastapi import FastAPI

from greenroom import __version__
from greenroom.app.access import Access
from greenroom.app.answers import Answers
from greenroom.app.control_plane import ControlPlane
from greenroom.app.inventory.service import Inventory
from greenroom.app.jobs.service import Jobs
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.ports import Host
from greenroom.region import Region
from greenroom.web.audit import audit_routes
from greenroom.web.environments import environment_routes
from greenroom.web.idempotency import Idempotency
from greenroom.web.images import image_routes
from greenroom.web.inventory import inventory_routes
from greenroom.web.jobs import execution_routes, job_routes
from greenroom.web.lifetimes import lifetime_routes
from greenroom.web.limits import RequestLimits
from greenroom.web.openapi import DESCRIPTION, GreenroomApi, operation_id
from greenroom.web.operations import operation_routes
from greenroom.web.orphans import orphan_routes
from greenroom.web.place import WebPlace
from greenroom.web.problems import add_problems
from greenroom.web.status import status_routes
from greenroom.web.tickets import ticket_routes
from greenroom.web.timings import timing_routes
from greenroom.web.tokens import token_routes


def make_api(
    control: ControlPlane,
    host: Host,
    inventory: Inventory,
    timings: Timings,
    access: Access,
    lifetimes: Lifetimes,
    jobs: Jobs,
    sessions: Sessions,
    place: WebPlace,
    region: Region,
) -> FastAPI:
    """The application that the daemon serves on its unix socket, and at ``place``."""
    api = GreenroomApi(
        title="greenroom",
        version=__version__,
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # /v1/tokens/ is not another spelling of /v1/tokens, but nothing.
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    api.state.access = access
    add_problems(api)
    # The last one comes first.
    api.add_middleware(Idempotency, answers=Answers(access.database))
    api.add_middleware(RequestLimits)
    api.include_router(status_routes(region, place))
    api.include_router(operation_routes(control))
    api.include_router(environment_routes(control, host))
    api.include_router(image_routes(control, host))
    api.include_router(inventory_routes(inventory, control, region))
    api.include_router(timing_routes(timings, control))
    api.include_router(token_routes(access.tokens))
    api.include_router(audit_routes(access.audit))
    api.include_router(lifetime_routes(lifetimes))
    api.include_router(job_routes(jobs))
    api.include_router(execution_routes(jobs))
    api.include_router(ticket_routes(sessions, place))
    api.include_router(orphan_routes(control.orphans))
    return api
