"""Who asks for a page, and what their forms say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import parse_qsl, quote

from fastapi import Depends, Request

from greenroom.app.sessions import Session, Sessions, same_form_token
from greenroom.errors import InputError, RefusedError
from greenroom.web.access import origin_of_request

FORM_TOKEN = "form_token"
FORM_BYTES_MAX = 64 * 1024
SESSIONS_KEY = "greenroom.sessions"
COOKIE_KEY = "greenroom.cookie"


class LoginNeededError(Exception):
    """Nobody is logged in; ``back`` is where they wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


@dataclass(frozen=True, slots=True)
class Form:
    """A form that came from a page of the session: its fields, in order, without the token."""

    fields: tuple[tuple[str, str], ...]

    def one(self, name: str, default: str = "") -> str:
        """The last value of a field, without the spaces around it."""
        return next((v.strip() for n, v in reversed(self.fields) if n == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field."""
        return tuple(value for key, value in self.fields if key == name)


def key_of(request: Request) -> str | None:
    """The session's key in the cookie, if there is one."""
    return request.cookies.get(request.scope[COOKIE_KEY])


def session_or_none(request: Request) -> Session | None:
    """Who is logged in, if anybody is."""
    sessions: Sessions = request.scope[SESSIONS_KEY]
    key = key_of(request)
    session = None if key is None else sessions.find(key)
    if session is None:
        return None
    return replace(session, caller=replace(session.caller, origin=origin_of_request(request)))


def session_of(request: Request) -> Session:
    """Who is logged in; raises LoginNeededError."""
    session = session_or_none(request)
    if session is None:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        raise LoginNeededError(target if request.method == "GET" else "/")
    return session


LoggedIn = Annotated[Session, Depends(session_of)]


async def read_form(request: Request) -> Form:
    """The fields of a form as browsers send it; raises InputError E_BODY_SIZE or E_FORM."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise InputError(
                "E_BODY_SIZE",
                f"a form has at most {FORM_BYTES_MAX} bytes",
                hint="hand large values over as a file, or as an object of a bucket",
            )
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise InputError(
            "E_FORM",
            "the form is not UTF-8",
            hint="load the page again, then send the form once more",
        ) from error
    return Form(tuple(pairs))


async def form_of(request: Request, session: LoggedIn) -> Form:
    """The form of somebody who is logged in; raises RefusedError E_FORM_TOKEN unless it came from
    a page of their session."""
    form = await read_form(request)
    if not same_form_token(session, form.one(FORM_TOKEN)):
        raise RefusedError(
            "E_FORM_TOKEN",
            "the form does not belong to this login",
            hint="load the page again, then send the form once more",
        )
    return Form(tuple(pair for pair in form.fields if pair[0] != FORM_TOKEN))


Posted = Annotated[Form, Depends(form_of)]


def own_path(path: str) -> str:
    """``path`` if it leads to a page of ours, else the first page: a login must not send anybody
    elsewhere (``//example.com`` and ``/\\example.com`` are other hosts to a browser)."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if safe and path.isprintable() and len(path) < 1000 else "/"


def login_path(back: str) -> str:
    """The login that leads to ``back`` afterwards."""
    return "/login" if back == "/" else f"/login?back={quote(back, safe='')}"
