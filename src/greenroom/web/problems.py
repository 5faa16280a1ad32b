"""Errors as RFC 9457's problem+json, with our code and the CLI's exit code beside it."""

from __future__ import annotations

import math
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from greenroom.errors import (
    BusyError,
    Fault,
    GreenroomError,
    InputError,
    LoginError,
    RefusedError,
    UsageError,
)

_STATUS_BY_CODE = {"E_FORBIDDEN": 403, "E_FORM_TOKEN": 403, "E_MORE_RIGHTS": 403}
_STATUS_BY_ERROR: dict[type[GreenroomError], int] = {
    LoginError: 401,
    BusyError: 429,
    InputError: 422,
    UsageError: 400,
    RefusedError: 409,
}


def add_problems(api: FastAPI) -> None:
    """Have every error of ours, and every malformed request, answered as a problem."""
    api.add_exception_handler(GreenroomError, problem)
    api.add_exception_handler(RequestValidationError, _bad_request)


async def problem(request: Request, error: Exception) -> JSONResponse:
    """A GreenroomError as RFC 9457's problem+json, with our code and exit code beside it."""
    assert isinstance(error, GreenroomError)
    status = status_of(error)
    body = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
        "faults": [_fault(fault) for fault in error.faults],
    }
    return JSONResponse(
        body,
        status_code=status,
        headers=_headers_of(error),
        media_type="application/problem+json",
    )


def status_of(error: GreenroomError) -> int:
    """The HTTP status that an error is answered with."""
    by_family = (s for kind, s in _STATUS_BY_ERROR.items() if isinstance(error, kind))
    return _STATUS_BY_CODE.get(error.code) or next(by_family, 500)


def _headers_of(error: GreenroomError) -> dict[str, str] | None:
    match error:
        case LoginError():
            # RFC 6750, section 3: what is missing altogether is no invalid token.
            missing = error.code == "E_TOKEN_MISSING"
            return {"WWW-Authenticate": "Bearer" if missing else 'Bearer error="invalid_token"'}
        case BusyError():
            return {"Retry-After": str(max(1, math.ceil(error.retry_s)))}
        case _:
            return None


def _fault(fault: Fault) -> dict[str, Any]:
    return fault._asdict()


async def _bad_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    usage = UsageError("E_REQUEST", f"{where}: {first['msg']}")
    return await problem(request, usage)
