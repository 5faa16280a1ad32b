"""The site: API and page, behind one guard, for whoever is logged in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from greenroom.app.logins import Logins
from greenroom.app.sessions import same_form_token
from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.model.access import Caller
from greenroom.region import Region
from greenroom.web.access import CALLER_KEY, caller_by_header, token_missing
from greenroom.web.page.actions import action_pages
from greenroom.web.page.asking import (
    COOKIE_KEY,
    SESSIONS_KEY,
    LoginNeededError,
    login_path,
    session_or_none,
)
from greenroom.web.page.creation import creation_pages
from greenroom.web.page.drills import drill_pages
from greenroom.web.page.environment_list import list_pages
from greenroom.web.page.environments import environment_pages
from greenroom.web.page.executions import execution_pages
from greenroom.web.page.guard import Guard
from greenroom.web.page.inventory import inventory_pages
from greenroom.web.page.jobs import job_pages
from greenroom.web.page.login import login_pages
from greenroom.web.page.operations import operation_pages
from greenroom.web.page.records import record_pages
from greenroom.web.page.render import STATIC, page, static_version
from greenroom.web.page.site_parts import Parts
from greenroom.web.problems import answer_of, problem, status_of

_FORM_TOKEN_HEADER = "x-greenroom-form"
_MISSING = ("E_NO_ENVIRONMENT", "E_NO_OPERATION", "E_NO_MACHINE", "E_NO_JOB", "E_NO_EXECUTION")
"""What is asked for by an address that leads nowhere (any more)."""


def make_site(parts: Parts, api: ASGIApp, region: Region, hosts: Iterable[str] = ()) -> ASGIApp:
    """What is served by TCP. ``api`` is the application of the unix socket; here its caller is who
    is logged in. ``hosts`` are names of the page beyond those of the loopback."""
    pages = page_app(parts)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        scope[SESSIONS_KEY] = parts.sessions
        # Cookies know no ports, and a host may hold several regions.
        scope[COOKIE_KEY] = f"greenroom-{region.web_port}"
        scope["greenroom.region"] = region.name
        path = scope["path"]
        if path.startswith("/v1/"):
            await _to_api(api, parts.access.logins, scope, receive, send)
        else:
            await pages(scope, receive, send)

    return Guard(by_path, hosts)


def page_app(parts: Parts) -> FastAPI:
    """The pages alone, without what stands before them."""
    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    pages.state.access = parts.access
    pages.add_exception_handler(LoginNeededError, _to_login)
    pages.add_exception_handler(GreenroomError, _refused)
    pages.add_exception_handler(HTTPException, _not_found)
    for routes in (
        login_pages(parts.sessions),
        list_pages(parts),
        environment_pages(parts),
        action_pages(parts),
        creation_pages(parts),
        operation_pages(parts),
        job_pages(parts),
        execution_pages(parts),
        drill_pages(parts),
        inventory_pages(parts),
        record_pages(parts),
    ):
        pages.include_router(routes)
    pages.mount(f"/static/{static_version()}", _Forever(directory=STATIC))
    return pages


class _Forever(StaticFiles):
    """Files whose address changes with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """As its parent, and the browser need never ask again."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _to_api(api: ASGIApp, logins: Logins, scope: Scope, receive: Receive, send: Send) -> None:
    """Nothing of the API is for nobody: who asks is known before it hears of the request."""
    request = Request(scope, receive)
    try:
        scope[CALLER_KEY] = await asyncio.to_thread(_api_caller, logins, request)
    except GreenroomError as error:
        refusal = await problem(request, error)
        await refusal(scope, receive, send)
        return
    await api(scope, receive, send)


def _api_caller(logins: Logins, request: Request) -> Caller:
    caller = caller_by_header(request, logins)
    if caller is not None:
        return caller
    session = session_or_none(request)
    if session is None:
        raise token_missing()
    given = request.headers.get(_FORM_TOKEN_HEADER, "")
    if request.method not in ("GET", "HEAD") and not same_form_token(session, given):
        raise RefusedError(
            "E_FORM_TOKEN",
            f"the header {_FORM_TOKEN_HEADER} does not belong to this login",
            hint="a program brings a token instead: Authorization: Bearer grt_…",
        )
    return session.caller


async def _to_login(request: Request, error: Exception) -> Response:
    assert isinstance(error, LoginNeededError)
    target = login_path(error.back)
    if "hx-request" in request.headers:
        # A part of a page cannot be a login: the whole page goes there.
        return Response(status_code=401, headers={"hx-redirect": target})
    return RedirectResponse(target, status_code=303)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, GreenroomError)
    if error.code == "E_STREAMS":
        # It is no page that was asked for, and nothing is swapped in for a 429.
        return answer_of(error)
    return _said(request, error, 404 if error.code in _MISSING else status_of(error))


def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = "there is no such page" if error.status_code == 404 else str(error.detail)
    shown = InputError(
        "E_NO_PAGE", f"{request.url.path[:200]}: {words}", hint="the first page leads to all others"
    )
    return _said(request, shown, error.status_code)


def _said(request: Request, error: GreenroomError, status: int) -> Response:
    """The error on a page of its own; to who is not logged in, beside the login."""
    session = session_or_none(request)
    template = "login.html" if session is None else "error.html"
    return page(request, template, session=session, status_code=status, error=error, back="/")
