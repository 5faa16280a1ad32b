"""The form that boots a branch."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from greenroom.app.choices import Choices, choices_of
from greenroom.app.history import KnownBlueprint
from greenroom.app.host_paths import may_name_path
from greenroom.app.rights import require
from greenroom.app.sessions import Session
from greenroom.errors import GreenroomError, InputError
from greenroom.model.access import Action, Caller, allows
from greenroom.model.requests import CreateRequest
from greenroom.model.views import OperationView
from greenroom.web.page.actions import duration_of
from greenroom.web.page.asking import Form, LoggedIn, Posted
from greenroom.web.page.audited import audited
from greenroom.web.page.render import page
from greenroom.web.page.rights import does, shows
from greenroom.web.page.site_parts import Parts

_FIELDS = {
    "branch": (
        "E_BRANCH",
        "E_SLUG",
        "E_ENVIRONMENT_EXISTS",
        "E_BUSY",
        "E_HALF_REMOVED",
        "E_FORBIDDEN",
    ),
    "machines": ("E_MACHINE_TYPE", "E_MACHINE_TWICE", "E_MACHINE_COUNT", "E_NEEDS"),
    "restore": ("E_RESTORE_DATA", "E_RESTORE_SOURCE"),
    "ttl": ("E_TTL",),
    "blueprint": ("E_BLUEPRINT",),
}
"""Beside which field an error belongs; all others are told above the form."""


def creation_pages(parts: Parts) -> APIRouter:
    """Choose, and begin."""
    routes = APIRouter()

    @routes.get("/new", dependencies=[shows(Action.CREATE)])
    def new(request: Request, session: LoggedIn, blueprint: str | None = None) -> Response:
        known = _offered(parts, session.caller)
        # An empty one asks for the choice, also where there is only one.
        path = str(known[0].path) if blueprint is None and len(known) == 1 else blueprint
        if not path:
            return _choose(request, session, known, None)
        try:
            choices = choices_of(_allowed(known, session.caller, path))
        except InputError as error:
            return _choose(request, session, known, error)
        require(session.caller, Action.CREATE, choices.stack)
        return _fill_in(request, session, known, choices, None, None)

    @routes.post("/new", dependencies=[does(Action.CREATE)])
    def create(request: Request, session: LoggedIn, form: Posted) -> Response:
        known = _offered(parts, session.caller)
        try:
            choices = choices_of(_allowed(known, session.caller, form.one("blueprint")))
        except InputError as error:
            return _choose(request, session, known, error)
        try:
            begun = _begun(parts, session.caller, choices, form)
        except GreenroomError as error:
            return _fill_in(request, session, known, choices, form, error)
        return RedirectResponse(f"/operations/{begun.id}", status_code=303)

    return routes


def _begun(parts: Parts, caller: Caller, choices: Choices, form: Form) -> OperationView:
    asked = _asked(choices, form)
    subject = f"{choices.stack}/{asked.branch}"
    told = (("blueprint", str(choices.path)), ("machines", " ".join(asked.machines)))
    with audited(parts, caller, Action.CREATE, subject, outcome=None, parameters=told):
        return parts.control.submit(asked, caller)


def _offered(parts: Parts, caller: Caller) -> tuple[KnownBlueprint, ...]:
    """The known blueprints of the stacks that the caller may create branches of."""
    return tuple(
        each
        for each in parts.history.blueprints()
        if allows(caller, Action.CREATE, each.stack, production=False)
    )


def _allowed(known: tuple[KnownBlueprint, ...], caller: Caller, text: str) -> Path:
    path = Path(text)
    if any(each.path == path for each in known):
        return path
    if may_name_path(caller) and path.is_absolute() and path.suffix in (".yaml", ".yml"):
        return path
    raise InputError(
        "E_BLUEPRINT",
        f"{text!r} is no blueprint that can be chosen here",
        hint="choose one of the list; an operator may name any by its full path",
    )


def _asked(choices: Choices, form: Form) -> CreateRequest:
    chosen = set(form.all("machine"))
    words = [
        f"{each.name}={form.one(f'count.{each.name}') or each.count}"
        for each in choices.types
        if each.name in chosen
    ]
    if not words:
        raise InputError("E_MACHINE_COUNT", "no machine is chosen", hint="tick at least one")
    restores = [
        (each.name, _source(form, each.name))
        for each in choices.types
        if each.name in chosen and each.restores is not None
    ]
    if not form.one("branch"):
        raise InputError("E_BRANCH", "the branch has no name", hint="such as feature_x")
    return CreateRequest(
        blueprint=choices.path,
        machines=tuple(words),
        branch=form.one("branch"),
        restore=tuple((name, source) for name, source in restores if source),
        ttl_s=duration_of(form.one("ttl")),
    )


def _source(form: Form, name: str) -> str:
    source = form.one(f"restore.{name}")
    cold = form.one(f"cold.{name}") and source and source != "none"
    return f"{source}:cold" if cold else source


def _choose(
    request: Request,
    session: Session,
    known: tuple[KnownBlueprint, ...],
    error: GreenroomError | None,
) -> Response:
    return page(
        request,
        "choose.html",
        session=session,
        status_code=200 if error is None else 422,
        known=known,
        may_name_path=may_name_path(session.caller),
        error=error,
    )


def _fill_in(
    request: Request,
    session: Session,
    known: tuple[KnownBlueprint, ...],
    choices: Choices,
    form: Form | None,
    error: GreenroomError | None,
) -> Response:
    field = next((f for f, codes in _FIELDS.items() if error and error.code in codes), None)
    return page(
        request,
        "create.html",
        session=session,
        status_code=200 if error is None else 422,
        choices=choices,
        others=len(known) > 1 or may_name_path(session.caller),
        error=error,
        field=field,
        given=form,
    )
