"""Errors as RFC 9457's problem+json, with our code and the CLI's exit code beside it."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from greenroom.errors import (
    BugError,
    BusyError,
    Fault,
    GreenroomError,
    HostError,
    InputError,
    LoginError,
    RefusedError,
    UsageError,
)
from greenroom.model.tokens import without_tokens
from greenroom.web.malformed import ContentTypeError, malformed, unreadable

PROBLEM_JSON = "application/problem+json"

SEND_LESS = "files are named by their path, never sent; leave out what the request does not need"
_DOCUMENT = "GET /v1/openapi.json lists what there is"

_logger = logging.getLogger(__name__)


class TooLargeError(UsageError):
    """Send less."""


class HeadTooLargeError(UsageError):
    """Send fewer or shorter headers."""


class SlowRequestError(UsageError):
    """Send the request in one go."""


class NoRouteError(UsageError):
    """Mend the address, or the method."""


_STATUS_BY_CODE = {
    "E_FORBIDDEN": 403,
    "E_FORM_TOKEN": 403,
    "E_MORE_RIGHTS": 403,
    "E_ENVIRONMENT_EXISTS": 409,
    "E_METHOD": 405,
}
_STATUS_BY_ERROR: dict[type[GreenroomError], int] = {
    LoginError: 401,
    BusyError: 429,
    TooLargeError: 413,
    HeadTooLargeError: 431,
    ContentTypeError: 415,
    SlowRequestError: 408,
    NoRouteError: 404,
    InputError: 422,
    UsageError: 400,
    RefusedError: 409,
    HostError: 503,
}


class FaultReply(BaseModel):
    """One thing wrong with an input, with the place where it stands: ``file`` is a blueprint, or
    ``body`` with a JSON pointer as ``path``, or a parameter of the request. ``line`` and ``column``
    are 0 where they are not known."""

    file: str
    line: int
    column: int
    path: str
    message: str


class Problem(BaseModel):
    """RFC 9457, with ``code`` (stable), the next step in ``hint``, the exit code that the CLI ends
    with, and the faults of a blueprint or of the request itself. ``message`` is ``detail``, as
    events have it too."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    code: str
    message: str
    hint: str
    exit_code: int
    faults: list[FaultReply]


def answer_of(error: GreenroomError, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that tells of ``error``."""
    status = status_of(error)
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _sendable(error.message),
        "code": error.code,
        "message": _sendable(error.message),
        "hint": _sendable(error.hint),
        "exit_code": error.exit_code,
        "faults": [_fault(fault) for fault in error.faults],
    }
    return JSONResponse(
        body,
        status_code=status,
        headers={**_headers_of(error), **(headers or {})},
        media_type=PROBLEM_JSON,
    )


def status_of(error: GreenroomError) -> int:
    """The HTTP status of an error; 404 for every ``E_NO_…`` that names what there is none of."""
    if isinstance(error, InputError) and error.code.startswith("E_NO_"):
        return 404
    by_family = (s for kind, s in _STATUS_BY_ERROR.items() if isinstance(error, kind))
    return _STATUS_BY_CODE.get(error.code) or next(by_family, 500)


def add_problems(api: FastAPI) -> None:
    """Have every error, ours and the framework's, answered as a problem."""
    api.add_exception_handler(GreenroomError, problem)
    api.add_exception_handler(RequestValidationError, _malformed)
    api.add_exception_handler(HTTPException, _framework)
    api.add_exception_handler(UnicodeEncodeError, _not_text)
    api.add_exception_handler(Exception, _bug)


async def problem(request: Request, error: Exception) -> JSONResponse:
    """A GreenroomError, for those who have a request to answer."""
    assert isinstance(error, GreenroomError)
    return answer_of(error)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer_of(malformed(request, error))


async def _framework(request: Request, error: Exception) -> JSONResponse:
    """What Starlette and FastAPI refuse before a route of ours is asked."""
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path}"
    match error.status_code:
        case 404:
            missing = f"there is no {request.url.path} here"
            return answer_of(NoRouteError("E_NO_ROUTE", missing, hint=_DOCUMENT))
        case 405:
            # Starlette names the methods of the first route of that path alone.
            allowed = ", ".join(sorted(_methods_at(request.app, request.url.path)))
            refused = NoRouteError("E_METHOD", f"{asked}: expected {allowed}", hint=_DOCUMENT)
            return answer_of(refused, {"Allow": allowed})
        case 413:
            return answer_of(TooLargeError("E_BODY_SIZE", error.detail, hint=SEND_LESS))
        case _:
            return answer_of(unreadable(asked, error))


async def _not_text(request: Request, error: Exception) -> JSONResponse:
    """JSON can spell half a surrogate pair, which is no character and cannot be kept."""
    _logger.info("%s %s: %s", request.method, request.url.path, error)
    message = "the request holds half a surrogate pair, which is no character"
    return answer_of(UsageError("E_NOT_UTF8", message, hint="send whole characters, in UTF-8"))


async def _bug(request: Request, error: Exception) -> JSONResponse:
    # The server logs it whole, as it is raised once more after this answer.
    words = f"{request.method} {request.url.path}: {type(error).__name__}"
    hint = "this is a bug in greenroom: please report it with the daemon's log"
    return answer_of(BugError("E_BUG", words, hint=hint))


def _methods_at(api: FastAPI, path: str) -> set[str]:
    methods: set[str] = set()
    for context in iter_route_contexts(api.routes):
        if compile_path(context.path or "")[0].match(path):
            methods |= set(context.methods or ())
    return methods


def _headers_of(error: GreenroomError) -> dict[str, str]:
    match error:
        case LoginError():
            # RFC 6750, section 3: what is missing altogether is no invalid token.
            missing = error.code == "E_TOKEN_MISSING"
            return {"WWW-Authenticate": "Bearer" if missing else 'Bearer error="invalid_token"'}
        case BusyError():
            return {"Retry-After": str(max(1, math.ceil(error.retry_s)))}
        case _:
            return {}


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        name: _sendable(value) if isinstance(value, str) else value
        for name, value in fault._asdict().items()
    }


def _sendable(text: str) -> str:
    """``text`` as UTF-8 can say it, and without a token in it: a message repeats what somebody
    sent, and they may have sent their token where a name belongs."""
    return without_tokens(text.encode("utf-8", "replace").decode())
