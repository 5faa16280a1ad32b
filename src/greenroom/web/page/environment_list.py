"""The list of environments, live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from greenroom.model.access import Action, Caller, allows
from greenroom.model.views import EnvironmentView
from greenroom.web.page.asking import LoggedIn, key_of
from greenroom.web.page.costs import estimates_of
from greenroom.web.page.render import fragment, page
from greenroom.web.page.rights import shows
from greenroom.web.page.site_parts import Parts
from greenroom.web.page.stream import changed_pieces, event_stream, listen_to, one_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOfList:
    """The environments of one stack: production first, the shared one last."""

    name: str
    environments: tuple[EnvironmentView, ...]


def list_pages(parts: Parts) -> APIRouter:
    """The first page."""
    routes = APIRouter()

    @routes.get("/", dependencies=[shows()])
    def environments(request: Request, session: LoggedIn) -> Response:
        return page(request, "environments.html", session=session, **_listed(parts, session.caller))

    @routes.get("/environments/stream", dependencies=[shows(), one_stream()])
    def stream(request: Request, session: LoggedIn) -> StreamingResponse:
        still = parts.still_open(key_of(request))

        def render() -> str | None:
            if not still():
                return None
            return fragment("_environments.html", **_listed(parts, session.caller))

        return event_stream(changed_pieces(listen_to(parts.control), render))

    return routes


def _listed(parts: Parts, caller: Caller) -> dict[str, Any]:
    views = _seen(parts.control.environments(), caller)
    costs = estimates_of(views, parts.prices())
    return {
        "stacks": _by_stack(views),
        "total": len(views),
        "costs": costs,
        "priced": next(iter(costs.values()), None),
        "may_create": _may_create_any(caller),
    }


def _may_create_any(caller: Caller) -> bool:
    """Whether there is any stack in which the caller may create a branch."""
    stacks = {grant.stack for grant in caller.grants}
    return any(allows(caller, Action.CREATE, stack, production=False) for stack in stacks)


def _seen(views: Iterable[EnvironmentView], caller: Caller) -> tuple[EnvironmentView, ...]:
    """Those that the caller may see."""
    return tuple(
        view
        for view in views
        if allows(caller, Action.READ, view.name.partition("/")[0], production=False)
    )


def _by_stack(views: Sequence[EnvironmentView]) -> tuple[StackOfList, ...]:
    names = sorted({view.name.partition("/")[0] for view in views})
    return tuple(
        StackOfList(
            name=name,
            environments=tuple(
                sorted((v for v in views if v.name.startswith(f"{name}/")), key=_rank)
            ),
        )
        for name in names
    )


def _rank(view: EnvironmentView) -> tuple[bool, bool, str]:
    return (view.shared, not view.production, view.name)
