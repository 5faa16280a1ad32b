"""An execution of a job: how it stands, and its log as it is written."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from greenroom.app.jobs.follow import follow_log
from greenroom.model.access import EVERY_STACK, Action, Caller, allows
from greenroom.model.audit import Outcome
from greenroom.model.jobs import ExecutionView
from greenroom.web.page.asking import LoggedIn, Posted, key_of
from greenroom.web.page.audited import audited
from greenroom.web.page.log_stream import LINES_MAX
from greenroom.web.page.render import fragment, page
from greenroom.web.page.rights import does, shows
from greenroom.web.page.site_parts import Parts
from greenroom.web.page.stream import ENDED, Piece, changed_pieces, event_stream, one_stream

_LINE_CHARACTERS = 2000
_TICK_S = 1.0


def execution_pages(parts: Parts) -> APIRouter:
    """Watch an execution, and decide on it."""
    routes = APIRouter()
    jobs = parts.jobs

    @routes.get("/executions/{execution}", dependencies=[shows()])
    def watch(request: Request, session: LoggedIn, execution: str) -> Response:
        view = jobs.history.one(execution, session.caller)
        buttons = _buttons(parts, view, session.caller)
        return page(request, "execution.html", session=session, **_values(view), **buttons)

    @routes.get("/executions/{execution}/stream", dependencies=[shows(), one_stream()])
    def stream(request: Request, session: LoggedIn, execution: str) -> Response:
        jobs.history.one(execution, session.caller)
        still = parts.still_open(key_of(request))
        return event_stream(_state_pieces(parts, execution, session.caller, still))

    @routes.get("/executions/{execution}/log", dependencies=[shows(), one_stream()])
    def log(request: Request, session: LoggedIn, execution: str) -> Response:
        jobs.history.one(execution, session.caller)
        seen = request.headers.get("last-event-id", "")
        after = int(seen) if seen.isdecimal() and len(seen) < 12 else 0
        still = parts.still_open(key_of(request))
        return event_stream(_log_pieces(parts, execution, after, still))

    def route(verb: str, act: Callable[[str, Caller], ExecutionView]) -> None:
        @routes.post(f"/executions/{{execution}}/{verb}", dependencies=[does(Action.RUN_JOB)])
        def decide(session: LoggedIn, form: Posted, execution: str) -> Response:
            view = jobs.history.one(execution, session.caller)
            action = f"{verb}-job"
            # That it runs again is recorded where it is accepted.
            outcome = None if verb == "retry" else Outcome.DONE
            with audited(parts, session.caller, action, view.job, outcome=outcome) as told:
                told.reference = execution
                after = act(execution, session.caller)
            return RedirectResponse(f"/executions/{after.id}", status_code=303)

    for verb, act in (
        ("abort", jobs.executions.abort),
        ("approve", jobs.waiting.approve),
        ("reject", jobs.waiting.reject),
        ("retry", partial(jobs.executions.retry, given=None)),
    ):
        route(verb, act)
    return routes


async def _state_pieces(
    parts: Parts, execution: str, caller: Caller, still: Callable[[], bool]
) -> AsyncIterator[Piece]:
    ended = False

    def render() -> str | None:
        nonlocal ended
        if ended or not still():
            return None
        view = parts.jobs.history.one(execution, caller)
        ended = view.status.final
        return fragment("_execution.html", **_values(view))

    news = partial(parts.jobs.book.listen, execution)
    async for piece in changed_pieces(news, render, look_again_s=_TICK_S):
        yield piece
        if ended and piece.event != ENDED:
            yield Piece("", event=ENDED)
            return


async def _log_pieces(
    parts: Parts, execution: str, after: int, still: Callable[[], bool]
) -> AsyncIterator[Piece]:
    """The log past the line ``after``; of a burst the newest lines, and how many were left out."""
    async with aclosing(follow_log(parts.jobs, execution, after=after)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            if not still():
                break
            yield _lines_piece(chunk)
    yield Piece("", event=ENDED)


def _lines_piece(chunk: bytes) -> Piece:
    raw = chunk.splitlines()
    newest: deque[bytes] = deque(raw, maxlen=LINES_MAX)
    lines = [json.loads(line) for line in newest]
    shown = [(line["machine"] or "", "", line["text"][:_LINE_CHARACTERS]) for line in lines]
    text = fragment("_log_lines.html", lines=shown, left_out=len(raw) - len(newest))
    return Piece(text, id=str(lines[-1]["seq"]))


def _values(view: ExecutionView) -> dict[str, Any]:
    return {"run": view, "final": view.status.final}


def _buttons(parts: Parts, view: ExecutionView, caller: Caller) -> dict[str, bool]:
    """Whether the caller may end it and run it again, and whether they may decide on it: that is
    for whom its definition names, whatever else they may do."""
    slug = (view.environment or "").partition("/")[2]
    production = parts.access.is_production(view.stack, slug)
    somewhere = any(
        allows(caller, Action.RUN_JOB, grant.stack, production=False) for grant in caller.grants
    )
    # Of a create nobody knows the stack before it has begun.
    own = view.stack == EVERY_STACK and view.asked_by == caller.name
    there = allows(caller, Action.RUN_JOB, view.stack, production=production)
    return {
        "may_act": there or (own and somewhere),
        "may_decide": somewhere and parts.jobs.waiting.may_decide(view.id, caller),
    }
