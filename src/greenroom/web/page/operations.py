"""An operation while it runs, and afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from greenroom.model.access import Action, Caller, allows
from greenroom.model.audit import Outcome
from greenroom.model.events import OperationStatus
from greenroom.model.views import EnvironmentView, OperationView
from greenroom.web.page.asking import LoggedIn, Posted, key_of
from greenroom.web.page.audited import audited
from greenroom.web.page.board import Board, board_of
from greenroom.web.page.render import fragment, page
from greenroom.web.page.rights import does, shows
from greenroom.web.page.site_parts import Parts
from greenroom.web.page.stream import (
    ENDED,
    Piece,
    changed_pieces,
    event_stream,
    listen_to,
    one_stream,
)

_TICK_S = 0.5
"""How often the bars of what runs grow."""


def operation_pages(parts: Parts) -> APIRouter:
    """Watch an operation, and stop it."""
    routes = APIRouter()
    control = parts.control

    @routes.get("/operations/{operation}", dependencies=[shows()])
    def watch(request: Request, session: LoggedIn, operation: str) -> Response:
        view = _seen(parts, operation, session.caller)
        return page(
            request,
            "operation.html",
            session=session,
            **_values(parts, view, session.caller),
        )

    @routes.get("/operations/{operation}/stream", dependencies=[shows(), one_stream()])
    def stream(request: Request, session: LoggedIn, operation: str) -> Response:
        _seen(parts, operation, session.caller)
        still = parts.still_open(key_of(request))
        return event_stream(_pieces(parts, operation, session.caller, still))

    @routes.post("/operations/{operation}/cancel", dependencies=[does(Action.CANCEL)])
    def cancel(session: LoggedIn, form: Posted, operation: str) -> Response:
        name = control.operation(operation).environment
        with audited(parts, session.caller, Action.CANCEL, name, outcome=Outcome.ACCEPTED) as told:
            told.reference = operation
            control.cancel(operation, session.caller)
        return RedirectResponse(f"/operations/{operation}", status_code=303)

    return routes


async def _pieces(
    parts: Parts, operation: str, caller: Caller, still: Callable[[], bool]
) -> AsyncIterator[Piece]:
    """The board, whole each time: whoever comes back sees it as it is now, whatever they missed."""
    ended = False

    def render() -> str | None:
        nonlocal ended
        if ended or not still():
            return None
        values = _values(parts, parts.control.operation(operation), caller)
        ended = bool(values["final"])
        return fragment("_operation.html", **values)

    news = listen_to(parts.control, operation)
    async for piece in changed_pieces(news, render, look_again_s=_TICK_S):
        yield piece
        if ended and piece.event != ENDED:
            yield Piece("", event=ENDED)
            return


def _seen(parts: Parts, operation: str, caller: Caller) -> OperationView:
    return parts.control.operation(operation, caller)


def _values(parts: Parts, view: OperationView, caller: Caller) -> dict[str, Any]:
    # The events first: what has ended by then has written its result too.
    events = parts.control.events(view.id)
    view = parts.control.operation(view.id)
    board = board_of(events, datetime.now(UTC))
    stack = view.environment.partition("/")[0]
    standing = _environment(parts, view.environment)
    production = standing is not None and standing.production
    return {
        "operation": view,
        "board": board,
        "final": view.status.final,
        "headline": _headline(view, board),
        "env": standing,
        "may_cancel": not view.status.final
        and view.kind != "destroy"
        and allows(caller, Action.CANCEL, stack, production=production),
    }


def _environment(parts: Parts, name: str) -> EnvironmentView | None:
    return next((view for view in parts.control.environments() if view.name == name), None)


_DOING = {
    "create": "Booting",
    "deploy": "Deploying to",
    "destroy": "Removing",
    "recover": "Recovering",
    "replace": "Replacing a machine of",
    "drill": "Drilling",
    "stop": "Stopping",
    "start": "Starting",
}


def _headline(view: OperationView, board: Board) -> str:
    doing = _DOING.get(view.kind, f"Running {view.kind} on")
    match view.status:
        case OperationStatus.SUCCEEDED if view.kind == "create":
            return "Up, and proved"
        case OperationStatus.SUCCEEDED if view.kind == "destroy":
            return "Gone, with nothing left over"
        case OperationStatus.SUCCEEDED:
            return f"{view.kind.capitalize()} succeeded"
        case OperationStatus.FAILED:
            return f"{view.kind.capitalize()} failed"
        case OperationStatus.CANCELLED:
            return f"{view.kind.capitalize()} was cancelled"
    return doing
