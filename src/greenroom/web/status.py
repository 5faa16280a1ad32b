"""Who answers, and who asks."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel

from greenroom import __version__
from greenroom.model.access import EVERY_STACK, Role
from greenroom.region import Region
from greenroom.web.access import Asking
from greenroom.web.place import WebPlace
from greenroom.web.rights import needs_login
from greenroom.web.tokens import GrantBody


class Status(BaseModel):
    """The daemon that answers, and what it was started with: the region's /16 and the ports of
    its environments and of API and page, which it keeps while it runs."""

    version: str
    pid: int
    region: str
    started_at: datetime
    cidr: str
    proxy_port: int
    web_port: int
    web_url: str | None
    web_notice: str | None


class WhoAmI(BaseModel):
    """The caller as the daemon knows them; ``role`` is theirs on every stack, if they have one."""

    name: str
    origin: str
    role: Role | None
    grants: list[GrantBody]


def status_routes(region: Region, place: WebPlace) -> APIRouter:
    """What everybody who is known may ask."""
    routes = APIRouter(tags=["status"])
    started_at = datetime.now(UTC)

    @routes.get("/v1/status", dependencies=[needs_login()])
    def get_status() -> Status:
        """Version, process, region and settings of the daemon."""
        return Status(
            version=__version__,
            pid=os.getpid(),
            region=region.name,
            started_at=started_at,
            cidr=region.cidr,
            proxy_port=region.proxy_port,
            web_port=region.web_port,
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
