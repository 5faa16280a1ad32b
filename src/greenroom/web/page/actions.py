"""The buttons of an environment: each begins what the CLI's command of the same name begins."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from greenroom.model.requests import DeployRequest, DestroyRequest, RecoverRequest, Request
from greenroom.web.page.asking import Form, LoggedIn, Posted
from greenroom.web.page.site_parts import Parts

_Asked = Callable[[str, Form], Request]


def _deploy(name: str, form: Form) -> Request:
    return DeployRequest(environment=name, types=form.all("type"))


def _destroy(name: str, form: Form) -> Request:
    return DestroyRequest(environment=name, confirm=form.one("confirm") or None)


def _recover(name: str, form: Form) -> Request:
    return RecoverRequest(environment=name)


_ACTIONS: dict[str, _Asked] = {"deploy": _deploy, "destroy": _destroy, "recover": _recover}


def action_pages(parts: Parts) -> APIRouter:
    """One address for each action; an operation is then watched."""
    routes = APIRouter()

    def route(action: str, asked: _Asked) -> None:
        @routes.post(f"/environments/{{stack}}/{{slug}}/{action}")
        def begin(session: LoggedIn, form: Posted, stack: str, slug: str) -> Response:
            begun = parts.control.submit(asked(f"{stack}/{slug}", form), session.caller)
            return RedirectResponse(f"/operations/{begun.id}", status_code=303)

    for action, asked in _ACTIONS.items():
        route(action, asked)

    @routes.post("/environments/{stack}/{slug}/prove")
    def prove(session: LoggedIn, form: Posted, stack: str, slug: str) -> Response:
        parts.control.prove(f"{stack}/{slug}", session.caller)
        return RedirectResponse(f"/environments/{stack}/{slug}", status_code=303)

    return routes
