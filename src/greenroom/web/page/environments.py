"""The list of environments, and one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from greenroom.app.lookup import exact_name
from greenroom.app.rights import require
from greenroom.model.access import Action, Caller, allows
from greenroom.model.names import EnvironmentName
from greenroom.model.views import EnvironmentDetail, EnvironmentView
from greenroom.store.environments import STANDING
from greenroom.web.page.asking import LoggedIn, key_of
from greenroom.web.page.board import board_of
from greenroom.web.page.costs import estimate_of
from greenroom.web.page.evidence import evidence_of
from greenroom.web.page.flows import FlowPicture, flow_picture
from greenroom.web.page.log_stream import log_pieces
from greenroom.web.page.render import fragment, page
from greenroom.web.page.rights import shows
from greenroom.web.page.site_parts import Parts
from greenroom.web.page.stream import changed_pieces, event_stream, listen_to

_HISTORY_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOfList:
    """The environments of one stack: production first, the shared one last."""

    name: str
    environments: tuple[EnvironmentView, ...]


def environment_pages(parts: Parts) -> APIRouter:
    """What exists, live."""
    routes = APIRouter()
    control = parts.control

    @routes.get("/", dependencies=[shows()])
    def environments(request: Request, session: LoggedIn) -> Response:
        return page(request, "environments.html", session=session, **_listed(parts, session.caller))

    @routes.get("/environments/stream", dependencies=[shows()])
    def stream(request: Request, session: LoggedIn) -> StreamingResponse:
        still = parts.still_open(key_of(request))

        def render() -> str | None:
            if not still():
                return None
            return fragment("_environments.html", **_listed(parts, session.caller))

        return event_stream(changed_pieces(listen_to(control), render))

    @routes.get("/environments/{stack}/{slug}", dependencies=[shows()])
    def environment(request: Request, session: LoggedIn, stack: str, slug: str) -> Response:
        require(session.caller, Action.READ, stack)
        detail = control.environment(exact_name(stack, slug), session.caller)
        return page(
            request,
            "environment.html",
            session=session,
            history=parts.history.of(EnvironmentName(stack, slug), _HISTORY_MAX),
            board=_board_of_create(parts, detail),
            flows=_flows(detail),
            cost=estimate_of(detail.summary, parts.prices()),
            **_state(detail, session.caller),
        )

    @routes.get("/environments/{stack}/{slug}/stream", dependencies=[shows()])
    def marks(
        request: Request, session: LoggedIn, stack: str, slug: str, seen: str
    ) -> StreamingResponse:
        require(session.caller, Action.READ, stack)
        still = parts.still_open(key_of(request))
        address = f"/environments/{stack}/{slug}"

        def render() -> str | None:
            """Not the page, but that there is a new one: the browser then asks for it."""
            if not still():
                return None
            known = {view.name: view for view in control.environments()}
            key = _key(known.get(f"{stack}/{slug}"))
            return fragment("_mark.html", key=key, address=address)

        shown = fragment("_mark.html", key=seen, address=address)
        return event_stream(changed_pieces(listen_to(control), render, shown=shown))

    @routes.get("/environments/{stack}/{slug}/log", dependencies=[shows()])
    def log(
        request: Request, session: LoggedIn, stack: str, slug: str, machine: str | None = None
    ) -> Response:
        require(session.caller, Action.READ, stack)
        found = control.stack_of(exact_name(stack, slug))
        readers = parts.logs(found, machine)
        return event_stream(log_pieces(readers, parts.still_open(key_of(request))))

    return routes


def _listed(parts: Parts, caller: Caller) -> dict[str, Any]:
    views = _seen(parts.control.environments(), caller)
    prices = parts.prices()
    costs = {view.name: cost for view in views if (cost := estimate_of(view, prices))}
    return {
        "stacks": _by_stack(views),
        "total": len(views),
        "costs": costs,
        "priced": next(iter(costs.values()), None),
        "may_create": may_create_any(caller),
    }


def may_create_any(caller: Caller) -> bool:
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


def _state(detail: EnvironmentDetail, caller: Caller) -> dict[str, Any]:
    summary = detail.summary
    stack = summary.name.partition("/")[0]
    standing = summary.status in STANDING

    def may(action: Action) -> bool:
        return allows(caller, action, stack, production=summary.production)

    return {
        "detail": detail,
        "env": summary,
        "stack": stack,
        "slug": summary.name.partition("/")[2],
        "key": _key(summary),
        "standing": standing,
        "evidence": evidence_of(detail),
        "may": {action.value: may(action) for action in Action},
    }


def _key(view: EnvironmentView | None) -> str:
    """What stands for all that a page shows of an environment; ``gone`` if there is none."""
    if view is None:
        return "gone"
    said = (view.status, view.verdict, view.operation, view.created_at.isoformat())
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _board_of_create(parts: Parts, detail: EnvironmentDetail) -> object:
    operation = parts.history.create_of(EnvironmentName.parse(detail.summary.name))
    if operation is None:
        return None
    events = parts.control.events(operation)
    return board_of(events, events[-1].at) if events else None


def _flows(detail: EnvironmentDetail) -> FlowPicture | None:
    return None if detail.proof is None else flow_picture(detail)
