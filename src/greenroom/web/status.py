"""Who answers, and who asks."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel

from greenroom import __version__
from greenroom.model.access import EVERY_STACK, Role
from greenroom.web.access import Asking
from greenroom.web.place import WebPlace
from greenroom.web.rights import needs_login
from greenroom.web.tokens import GrantBody


class Status(BaseModel):
    """The daemon that answers."""

    version: str
    pid: int
    region: str
    started_at: datetime
    web_url: str | None
    web_notice: str | None


class WhoAmI(BaseModel):
    """The caller as the daemon knows them; ``role`` is theirs on every stack, if they have one."""

    name: str
    origin: str
    role: Role | None
    grants: list[GrantBody]


def status_routes(region_name: str, place: WebPlace) -> APIRouter:
    """What everybody who is known may ask."""
    routes = APIRouter(tags=["status"])
    started_at = datetime.now(UTC)

    @routes.get("/v1/status", dependencies=[needs_login()])
    def get_status() -> Status:
        """Version, process and region of the daemon."""
        return Status(
            version=__version__,
            pid=os.getpid(),
            region=region_name,
            started_at=started_at,
            web_url=place.url,
            web_notice=place.notice,
        )

    @routes.get("/v1/whoami", dependencies=[needs_login()])
    def who_am_i(caller: Asking) -> WhoAmI:
        """Whom the daemon takes the caller for, and what they may."""
        return WhoAmI(
            name=caller.name,
            origin=caller.origin,
            role=caller.role_on(EVERY_STACK),
            grants=[GrantBody(stack=each.stack, role=each.role) for each in caller.grants],
        )

    return routes
