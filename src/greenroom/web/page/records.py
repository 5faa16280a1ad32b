"""The audit log, and the tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from greenroom.app.sessions import Session
from greenroom.app.tokens import EXPIRES_S
from greenroom.errors import GreenroomError, InputError
from greenroom.model.access import EVERY_STACK, Action, Grant, Role
from greenroom.model.audit import AuditFilter, shown
from greenroom.web.page.actions import duration_of
from greenroom.web.page.asking import Form, LoggedIn, Posted
from greenroom.web.page.audited import audited
from greenroom.web.page.inventory import moment_of
from greenroom.web.page.render import page
from greenroom.web.page.rights import does, shows
from greenroom.web.page.site_parts import Parts

PAGE_MAX = 100


def record_pages(parts: Parts) -> APIRouter:
    """For operators."""
    routes = APIRouter()
    tokens = parts.access.tokens

    @routes.get("/audit", dependencies=[shows(Action.AUDIT)])
    def audit(
        request: Request,
        session: LoggedIn,
        by: str = "",
        on: str = "",
        until: str = "",
        before: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
    ) -> Response:
        wanted = AuditFilter(by=by.strip() or None, on=on.strip() or None, until=moment_of(until))
        found = parts.access.audit.newest(session.caller, wanted, before=before, limit=PAGE_MAX)
        return page(
            request,
            "audit.html",
            session=session,
            entries=found,
            older=found[-1].seq if len(found) == PAGE_MAX else None,
            by=by,
            on=on,
            until=until,
        )

    @routes.get("/tokens", dependencies=[shows(Action.TOKENS)])
    def all_tokens(request: Request, session: LoggedIn) -> Response:
        return _tokens(parts, request, session)

    @routes.post("/tokens", dependencies=[does(Action.TOKENS)])
    def create(request: Request, session: LoggedIn, form: Posted) -> Response:
        try:
            grant = _grant(form)
            expires_s = duration_of(form.one("expires")) or EXPIRES_S
            asked = shown({name: form.one(name) for name in ("name", "role", "stack")})
            with audited(
                parts, session.caller, Action.TOKENS, "/tokens", outcome=None, parameters=asked
            ):
                _, text = tokens.create(session.caller, form.one("name"), [grant], expires_s)
        except GreenroomError as error:
            return _tokens(parts, request, session, form=form, error=error)
        notices = tokens.notices(session.caller, [grant])
        return _tokens(parts, request, session, made=text, notices=notices)

    @routes.post("/tokens/{token}/revoke", dependencies=[does(Action.TOKENS)])
    def revoke(session: LoggedIn, form: Posted, token: str) -> Response:
        asked = shown({"token": token})
        with audited(
            parts, session.caller, Action.TOKENS, "/tokens", outcome=None, parameters=asked
        ):
            tokens.revoke(session.caller, token)
        return RedirectResponse("/tokens", status_code=303)

    return routes


def _grant(form: Form) -> Grant:
    try:
        role = Role(form.one("role"))
    except ValueError as error:
        raise InputError(
            "E_TOKEN_GRANTS",
            f"{form.one('role')!r} is no role",
            hint=f"choose one of {', '.join(Role)}",
        ) from error
    return Grant(stack=form.one("stack") or EVERY_STACK, role=role)


def _tokens(
    parts: Parts,
    request: Request,
    session: Session,
    *,
    form: Form | None = None,
    error: GreenroomError | None = None,
    made: str | None = None,
    notices: tuple[str, ...] = (),
) -> Response:
    return page(
        request,
        "tokens.html",
        session=session,
        status_code=200 if error is None else 422,
        tokens=parts.access.tokens.all(session.caller),
        roles=[role.value for role in Role],
        given=form,
        error=error,
        made=made,
        notices=notices,
    )
