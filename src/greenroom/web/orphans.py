"""What belongs to no environment, over HTTP: the list, and its removal."""

from __future__ import annotations

from fastapi import APIRouter

from greenroom.app.orphans import Orphans
from greenroom.model.orphans import Orphan
from greenroom.model.receipt import Receipt
from greenroom.web.access import Asking


def orphan_routes(orphans: Orphans) -> APIRouter:
    """What the host holds and no environment owns."""
    routes = APIRouter()

    @routes.get("/v1/orphans")
    def find() -> list[Orphan]:
        return list(orphans.find())

    @routes.delete("/v1/orphans")
    def remove(name: str, caller: Asking) -> Receipt:
        return orphans.remove(name, caller)

    return routes
