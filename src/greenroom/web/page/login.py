"""Coming in, going out, and the choice of light or dark."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from greenroom.app.sessions import SESSION_TTL_S, Sessions
from greenroom.errors import BusyError, GreenroomError
from greenroom.web.access import origin_of_request
from greenroom.web.page.asking import (
    COOKIE_KEY,
    Form,
    LoggedIn,
    Posted,
    key_of,
    own_path,
    read_form,
    session_or_none,
)
from greenroom.web.page.render import THEME_COOKIE, THEMES, page
from greenroom.web.page.rights import takes_login

_THEME_TTL_S = 365 * 86400

Anonymous = Annotated[Form, Depends(read_form)]
"""A form of somebody who has no session yet. That it comes from a page of ours, the guard has
seen: it looks at where every request that changes something comes from."""


def login_pages(sessions: Sessions) -> APIRouter:
    """Login, logout and theme."""
    routes = APIRouter()

    @routes.get("/login")
    def login(request: Request, ticket: str | None = None, back: str = "/") -> Response:
        if ticket is not None:
            origin = origin_of_request(request)
            return _tried(sessions, request, "/", partial(sessions.by_ticket, ticket, origin))
        if session_or_none(request) is not None:
            return RedirectResponse(own_path(back), status_code=303)
        return page(request, "login.html", session=None, back=own_path(back), error=None)

    @routes.post("/login")
    def login_by_token(request: Request, form: Anonymous) -> Response:
        back, origin = own_path(form.one("back", "/")), origin_of_request(request)
        return _tried(
            sessions, request, back, partial(sessions.by_token, form.one("token"), origin)
        )

    @routes.post("/logout", dependencies=[takes_login()])
    def logout(request: Request, session: LoggedIn, form: Posted) -> Response:
        key = key_of(request)
        if key is not None:
            sessions.close(key)
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(request.scope[COOKIE_KEY], path="/")
        return answer

    @routes.post("/theme", dependencies=[takes_login()])
    def theme(request: Request, session: LoggedIn, form: Posted) -> Response:
        chosen = form.one("theme")
        answer = RedirectResponse(own_path(form.one("back", "/")), status_code=303)
        if chosen in THEMES:
            answer.set_cookie(
                THEME_COOKIE, chosen, max_age=_THEME_TTL_S, httponly=True, samesite="strict"
            )
        return answer

    return routes


def _tried(sessions: Sessions, request: Request, back: str, attempt: Callable[[], str]) -> Response:
    """Give the browser its key, in the place of any that it had; or say why not."""
    try:
        key = attempt()
    except GreenroomError as error:
        busy = isinstance(error, BusyError)
        answer = page(
            request,
            "login.html",
            session=None,
            status_code=429 if busy else 403,
            back=back,
            error=error,
        )
        if isinstance(error, BusyError):
            answer.headers["retry-after"] = str(math.ceil(error.retry_s))
        return answer
    before = key_of(request)
    if before is not None:
        sessions.close(before)
    redirect = RedirectResponse(back, status_code=303)
    # Not Secure: what is served on a loopback address has no certificate.
    redirect.set_cookie(
        request.scope[COOKIE_KEY],
        key,
        max_age=int(SESSION_TTL_S),
        httponly=True,
        samesite="strict",
        path="/",
    )
    return redirect
