"""One environment: all that is known of it, live."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from greenroom.app.control_plane import ControlPlane
from greenroom.app.lookup import exact_name
from greenroom.model.access import Action, Caller, allows
from greenroom.model.names import EnvironmentName
from greenroom.model.views import EnvironmentDetail, EnvironmentView
from greenroom.store.environments import STANDING
from greenroom.web.page.asking import LoggedIn, key_of
from greenroom.web.page.board import Board, board_of
from greenroom.web.page.costs import estimate_of
from greenroom.web.page.evidence import evidence_of
from greenroom.web.page.flows import flow_picture
from greenroom.web.page.log_stream import log_pieces
from greenroom.web.page.render import fragment, page
from greenroom.web.page.rights import shows
from greenroom.web.page.site_parts import Parts
from greenroom.web.page.stream import Piece, changed_pieces, event_stream, listen_to, one_stream

_ONE = "/environments/{stack}/{slug}"
_HISTORY_MAX = 20


def environment_pages(parts: Parts) -> APIRouter:
    """All of an environment, and what is live of it."""
    routes = APIRouter()
    control = parts.control

    @routes.get(_ONE, dependencies=[shows()])
    def environment(request: Request, session: LoggedIn, stack: str, slug: str) -> Response:
        detail = control.environment(exact_name(stack, slug), session.caller)
        shown = {**_evidence(parts, detail), **_state(detail, session.caller)}
        return page(request, "environment.html", session=session, **shown)

    @routes.get(f"{_ONE}/stream", dependencies=[shows(), one_stream()])
    def marks(request: Request, stack: str, slug: str, seen: str) -> StreamingResponse:
        still = parts.still_open(key_of(request))
        return event_stream(_marks(control, f"{stack}/{slug}", seen, still))

    @routes.get(f"{_ONE}/log", dependencies=[shows(), one_stream()])
    def log(request: Request, stack: str, slug: str, machine: str | None = None) -> Response:
        readers = parts.logs(control.stack_of(exact_name(stack, slug)), machine)
        return event_stream(log_pieces(readers, parts.still_open(key_of(request))))

    return routes


def _marks(
    control: ControlPlane, name: str, seen: str, still: Callable[[], bool]
) -> AsyncIterator[Piece]:
    """Not the page, but that there is a new one: the browser, which has ``seen``, asks for it."""

    def mark(key: str) -> str:
        return fragment("_mark.html", key=key, address=f"/environments/{name}")

    def render() -> str | None:
        if not still():
            return None
        known = {view.name: view for view in control.environments()}
        return mark(_key(known.get(name)))

    return changed_pieces(listen_to(control), render, shown=mark(seen))


def _evidence(parts: Parts, detail: EnvironmentDetail) -> dict[str, Any]:
    """What is told of it beside how it stands."""
    name = EnvironmentName.parse(detail.summary.name)
    return {
        "history": parts.history.of(name, _HISTORY_MAX),
        "board": _board_of_create(parts, name),
        "flows": None if detail.proof is None else flow_picture(detail),
        "cost": estimate_of(detail.summary, parts.prices()),
        "evidence": evidence_of(detail),
    }


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
        "may": {action.value: may(action) for action in Action},
    }


def _key(view: EnvironmentView | None) -> str:
    """What stands for all that a page shows of an environment; ``gone`` if there is none."""
    if view is None:
        return "gone"
    said = (view.status, view.verdict, view.operation, view.created_at.isoformat())
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _board_of_create(parts: Parts, name: EnvironmentName) -> Board | None:
    operation = parts.history.create_of(name)
    if operation is None:
        return None
    events = parts.control.events(operation)
    return board_of(events, events[-1].at) if events else None
