"""What belongs to no environment, over HTTP: the list, and its removal."""

from __future__ import annotations

from fastapi import APIRouter

from greenroom.app.orphans import Orphans
from greenroom.model.access import Action
from greenroom.model.audit import Outcome
from greenroom.model.orphans import Orphan
from greenroom.model.receipt import Receipt
from greenroom.web.access import Asking
from greenroom.web.rights import needs, needs_everywhere


def orphan_routes(orphans: Orphans) -> APIRouter:
    """What the host holds and no environment owns."""
    routes = APIRouter(tags=["environments"])

    @routes.get("/v1/orphans", dependencies=[needs_everywhere(Action.READ)])
    def list_orphans() -> list[Orphan]:
        """What bears the region's name on the host and belongs to no environment."""
        return list(orphans.find())

    @routes.delete(
        "/v1/orphans/{stack}/{slug}",
        dependencies=[needs(Action.DESTROY, recorded=Outcome.DONE)],
    )
    def remove_orphan(stack: str, slug: str, caller: Asking) -> Receipt:
        """Remove all that bears the name, which no environment has."""
        return orphans.remove(f"{stack}/{slug}", caller)

    return routes
