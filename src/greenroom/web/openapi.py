"""The OpenAPI document: FastAPI's, with every error that a route can answer told in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_origin

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams

from greenroom.web.problems import PROBLEM_JSON, Problem

DESCRIPTION = """
Environments of branches, what runs on them, and who may do what.

On the daemon's unix socket the process at the other end is who asks; over TCP every request
brings a token: `Authorization: Bearer grt_…`. Every error is a problem (RFC 9457) with a stable
`code`, the next step in `hint`, and the exit code that the command line would end with; where the
request itself is malformed, `faults` has each fault with its JSON pointer in `path`.
"""

_ANYWHERE = {
    "400": "The request is malformed: `E_REQUEST`, `E_NOT_UTF8`.",
    "401": "No login: `E_TOKEN_MISSING`, `E_TOKEN_MALFORMED`, `E_TOKEN_FOREIGN`, "
    "`E_TOKEN_UNKNOWN`, `E_TOKEN_EXPIRED`, `E_TOKEN_REVOKED`.",
    "403": "The caller may not: `E_FORBIDDEN`, `E_MORE_RIGHTS`.",
    "404": "There is none of that name: `E_NO_…`.",
    "409": "Not as things stand: `E_BUSY`, `E_…_EXISTS`, `E_IDEMPOTENCY_KEY`, and the like.",
    "413": "The body is too large: `E_BODY_SIZE`.",
    "415": "The body is not said to be JSON: `E_CONTENT_TYPE`.",
    "422": "The request is well-formed, but what it names cannot be: a blueprint's faults, "
    "a cursor that is none (`E_CURSOR`), a name with a NUL (`E_NUL`).",
    "429": "Too much at once: `E_LOGIN_RATE`, `E_RATE`, `E_STREAMS`, `E_CONNECTIONS`; "
    "see `Retry-After`.",
    "500": "A bug, or something that failed: `E_BUG`, `E_…`.",
    "503": "The host cannot: a disk is full, a tool is missing.",
}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `greenroom token create`. On the unix socket it need not be there.",
}


def operation_id(route: APIRoute) -> str:
    """``list_environments``: the name of the function, which is unique among the routes."""
    return route.name


class GreenroomApi(FastAPI):
    """An application whose document tells of its errors and its login."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            _add_problem(schemas)
            document["components"]["securitySchemes"] = {"token": _BEARER}
            document["security"] = [{"token": []}]
            for path in document["paths"].values():
                for operation in path.values():
                    _tell_errors(operation)
            self.openapi_schema = document
        return self.openapi_schema


def query_of(route: APIRoute) -> dict[str, bool]:
    """The parameters of a route's query, and which may be given more than once.

    Asked of the route: to make the document takes a fifth of a second, for which the first request
    to each daemon would wait.
    """
    return {
        field.alias: get_origin(field.field_info.annotation) is list
        for each in _dependants(route)
        for field in each.query_params
    }


def query_faults(route: APIRoute, query: QueryParams) -> list[dict[str, Any]]:
    """What is wrong with the values of the parameters that the route knows, as pydantic says it;
    one fault for each place. Raises InputError E_TIME."""
    found = {}
    # FastAPI's own reading of a query, which it would come to only after the rights: told a second
    # way, the two could differ. It is no public part of it, and its version is pinned.
    for each in _dependants(route):
        _, faults = request_params_to_args(each.query_params, query)
        found.update({fault["loc"]: fault for fault in faults})
    return list(found.values())


def _dependants(route: APIRoute) -> Iterator[Dependant]:
    waiting = [route.dependant]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += each.dependencies


def _add_problem(schemas: dict[str, Any]) -> None:
    made = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(made.pop("$defs", {}))
    schemas["Problem"] = made
    # What FastAPI would answer by itself; nothing here does.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _tell_errors(operation: dict[str, Any]) -> None:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, words in _ANYWHERE.items():
        operation["responses"][status] = {"description": words, "content": content}
