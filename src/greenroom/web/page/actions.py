"""The buttons of an environment: each begins what the CLI's command of the same name begins."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from greenroom.app.lookup import exact_name
from greenroom.errors import InputError
from greenroom.model.access import Action
from greenroom.model.audit import Outcome, Parameters
from greenroom.model.durations import parse_duration_s
from greenroom.model.requests import (
    DeployRequest,
    DestroyRequest,
    DrillRequest,
    RecoverRequest,
    ReplaceRequest,
    Request,
    StartRequest,
    StopRequest,
)
from greenroom.web.page.asking import Form, LoggedIn, Posted
from greenroom.web.page.audited import audited
from greenroom.web.page.rights import does
from greenroom.web.page.site_parts import Parts

_Asked = Callable[[str, Form], Request]


def _deploy(name: str, form: Form) -> Request:
    return DeployRequest(environment=name, types=form.all("type"))


def _destroy(name: str, form: Form) -> Request:
    return DestroyRequest(environment=name, confirm=form.one("confirm") or None)


def _recover(name: str, form: Form) -> Request:
    return RecoverRequest(environment=name)


def _stop(name: str, form: Form) -> Request:
    return StopRequest(environment=name)


def _start(name: str, form: Form) -> Request:
    return StartRequest(environment=name)


def _replace(name: str, form: Form) -> Request:
    machines, confirm = form.all("machine"), form.one("confirm") or None
    return ReplaceRequest(
        environment=name, machines=machines, stateless=not machines, confirm=confirm
    )


def _drill(name: str, form: Form) -> Request:
    throw_away, confirm = bool(form.one("throw_away")), form.one("confirm") or None
    return DrillRequest(environment=name, throw_away=throw_away, confirm=confirm)


_ACTIONS: dict[Action, _Asked] = {
    Action.DEPLOY: _deploy,
    Action.DESTROY: _destroy,
    Action.RECOVER: _recover,
    Action.STOP: _stop,
    Action.START: _start,
    Action.REPLACE: _replace,
    Action.DRILL: _drill,
}


def action_pages(parts: Parts) -> APIRouter:
    """One address for each action; an operation is then watched."""
    routes = APIRouter()

    def route(action: Action, asked: _Asked) -> None:
        @routes.post(f"/environments/{{stack}}/{{slug}}/{action}", dependencies=[does(action)])
        def begin(session: LoggedIn, form: Posted, stack: str, slug: str) -> Response:
            name = f"{stack}/{slug}"
            with audited(parts, session.caller, action, name, outcome=None, parameters=_told(form)):
                begun = parts.control.submit(asked(name, form), session.caller)
            return RedirectResponse(f"/operations/{begun.id}", status_code=303)

    for action, asked in _ACTIONS.items():
        route(action, asked)

    @routes.post("/environments/{stack}/{slug}/prove", dependencies=[does(Action.PROVE)])
    def prove(session: LoggedIn, form: Posted, stack: str, slug: str) -> Response:
        name, caller = f"{stack}/{slug}", session.caller
        with audited(parts, caller, Action.PROVE, name, outcome=Outcome.DONE):
            parts.control.prove(exact_name(stack, slug), caller)
        return RedirectResponse(f"/environments/{name}", status_code=303)

    @routes.post("/environments/{stack}/{slug}/extend", dependencies=[does(Action.EXTEND)])
    def extend(session: LoggedIn, form: Posted, stack: str, slug: str) -> Response:
        name, caller = f"{stack}/{slug}", session.caller
        told = _told(form)
        with audited(parts, caller, Action.EXTEND, name, outcome=Outcome.DONE, parameters=told):
            parts.lifetimes.extend(exact_name(stack, slug), duration_of(form.one("ttl")), caller)
        return RedirectResponse(f"/environments/{name}", status_code=303)

    return routes


def duration_of(text: str) -> float | None:
    """What a form says of a duration, in seconds; None for nothing. Raises InputError E_TTL."""
    try:
        return parse_duration_s(text) if text else None
    except ValueError as error:
        raise InputError("E_TTL", str(error), hint="write it as 8h or 2d") from error


def _told(form: Form) -> Parameters:
    return tuple(pair for pair in form.fields if pair[1])
