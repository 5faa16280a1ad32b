"""A request whose shape is wrong: what, where, and what to do, in our words.

Nothing is repeated that may be a secret: no value of a field that the document calls write-only, or
that it does not know (a secret under a misspelt name), no body that is one string (JSON encoded
twice holds all fields), and no token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from greenroom.blueprint.nearest import nearest
from greenroom.errors import Fault, UsageError
from greenroom.model.tokens import without_tokens
from greenroom.web.expected import Schema, Spot, expected, one_of, spot_at

FAULTS_MAX = 20
UNKNOWN = "extra_forbidden"
"""Pydantic's word for a field that is not known; ours too for such a parameter."""
REPEATED = "repeated"
"""Ours, for a parameter that is there more than once; its input is how often."""
_SHOWN_MAX = 60
_JSON = re.compile(r"application/(json|[^;]+\+json)\s*(;|$)", re.IGNORECASE)
_SEND_JSON = "send JSON, with the header Content-Type: application/json"
_DEEP = "the body is nested deeper than any request is"


class ContentTypeError(UsageError):
    """Send JSON, and say so."""


def malformed(request: Request, error: RequestValidationError) -> UsageError:
    """All that is wrong with the request, as one error with a fault for each."""
    found = error.errors()
    first = found[0]
    if first["type"] == "json_invalid":
        return _no_json(error.body, first)
    if first["loc"] == ("body",):
        if first["type"] == "missing":
            message = "the request has no body; expected JSON"
            return UsageError("E_REQUEST", message, hint=_SEND_JSON)
        if not _says_json(request):
            return _no_json_type(request)
    document = request.app.openapi()
    operation = _operation(document, request)
    told = [_told(document, operation, each) for each in found[:FAULTS_MAX]]
    faults = [fault for fault, _ in told]
    asked = f"{request.method} {request.scope['route'].path}"
    if len(found) == 1:
        return UsageError("E_REQUEST", _sentence(faults[0]), hint=told[0][1], faults=faults)
    listed = f" ({FAULTS_MAX} of them are listed)" if len(found) > FAULTS_MAX else ""
    return UsageError(
        "E_REQUEST",
        f"{len(found)} things are wrong with the request{listed}; the first: "
        f"{_sentence(faults[0])}",
        hint=f"/v1/openapi.json says what {asked} takes",
        faults=faults,
    )


def unreadable(asked: str, error: HTTPException) -> UsageError:
    """What the framework refuses while it reads the body; ``asked`` is method and path."""
    match error.__cause__:
        case UnicodeDecodeError() as cause:
            byte = cause.object[cause.start]
            message = f"the body is not UTF-8: its byte {cause.start + 1} is 0x{byte:02x}"
            return UsageError("E_REQUEST", message, hint="send JSON in UTF-8")
        case RecursionError():
            return too_deep()
        case ValueError():
            message = "the body holds a number that is longer than any number here"
            return UsageError("E_REQUEST", message, hint="send shorter numbers, or a string")
        case _:
            hint = "/v1/openapi.json says what it takes"
            return UsageError("E_REQUEST", f"{asked}: {error.detail}", hint=hint)


def too_deep() -> UsageError:
    """The refusal of lists in lists in lists."""
    return UsageError("E_REQUEST", _DEEP, hint="/v1/openapi.json says what each request takes")


def _operation(document: Schema, request: Request) -> Schema:
    path = document["paths"].get(request.scope["route"].path, {})
    found: Schema = path.get(request.method.lower(), {})
    return found


def _told(document: Schema, operation: Schema, error: Any) -> tuple[Fault, str]:
    """The fault, and the next step."""
    where, *parts = error["loc"]
    if where == "body":
        content = operation["requestBody"]["content"]
        schema = next(iter(content.values()))["schema"]
        place = "body"
    else:
        name, *parts = parts
        named = [each for each in operation.get("parameters", ()) if each["name"] == name]
        schema = named[0]["schema"] if named else {}
        place = f"{where} parameter {_clipped(name) or repr(name)}"
        if error["type"] in (UNKNOWN, REPEATED):
            message, hint = _unwanted(operation, name, error)
            return _fault(place, "", without_tokens(message)), without_tokens(hint)
    message, hint, spot = _judged(document, schema, parts, error)
    path = spot.pointer or ("/" if where == "body" else "")
    return _fault(place, path, without_tokens(message)), without_tokens(hint)


def _unwanted(operation: Schema, name: str, error: Any) -> tuple[str, str]:
    """Of a parameter that the query should not have, or not so often."""
    if error["type"] == REPEATED:
        return f"is there {error['input']} times", f"give {name} once"
    parameters = operation.get("parameters", ())
    known = sorted(each["name"] for each in parameters if each["in"] == "query")
    takes = f"it takes {', '.join(known)}" if known else "it takes no parameters"
    return _unknown(name, known), takes


def _judged(
    document: Schema, schema: Schema, parts: Sequence[str | int], error: Any
) -> tuple[str, str, Spot]:
    spot = spot_at(document, schema, parts)
    if error["loc"] == ("body",):
        spot = replace(spot, secret=True)
    match error["type"]:
        case "missing":
            words = _words(spot)
            return f"is missing; expected {words}", f"add it: {words}", spot
        case "extra_forbidden":
            around = spot_at(document, schema, parts[:-1])
            name = str(parts[-1])
            return _unknown(name, around.fields), f"it takes {', '.join(around.fields)}", spot
        case "union_tag_not_found":
            choices = one_of(_tags(spot))
            kind = _below(spot, error)
            return f"is missing; expected {choices}", f"add it: {choices}", kind
        case "union_tag_invalid":
            kind = _below(spot, error)
            sent = error["input"][_discriminator(error)]
            if isinstance(sent, str):
                return (*_no_choice(sent, _tags(spot)), kind)
            tags = _tags(spot)
            message = f"is {_shown(sent, kind)}; expected {one_of(tags)}"
            return message, f"send one of {', '.join(tags)}", kind
        case _:
            if spot.choices and isinstance(error["input"], str) and not spot.secret:
                return (*_no_choice(error["input"], spot.choices), spot)
            words = _words(spot)
            return f"is {_shown(error['input'], spot)}; expected {words}", f"send {words}", spot


def _below(spot: Spot, error: Any) -> Spot:
    """Where the name of the kind stands, or should."""
    return Spot(pointer=f"{spot.pointer}/{_discriminator(error)}", schema={})


def _discriminator(error: Any) -> str:
    name: str = error["ctx"]["discriminator"].strip("'")
    return name


def _tags(spot: Spot) -> Sequence[str]:
    return tuple(spot.schema["discriminator"]["mapping"])


def _words(spot: Spot) -> str:
    return expected(spot.schema)


def _unknown(name: str, fields: Sequence[str]) -> str:
    meant = nearest(name, fields)
    return "is not known here" if meant is None else f"is not known here; did you mean {meant!r}?"


def _no_choice(sent: str, choices: Sequence[str]) -> tuple[str, str]:
    meant = nearest(sent, choices)
    hint = f"send one of {', '.join(choices)}" if meant is None else f"did you mean {meant!r}?"
    return f"is {_clipped(sent)!r}; expected {one_of(choices)}", hint


def _shown(value: Any, spot: Spot) -> str:
    """The value in words, if it may be repeated; else only what kind of value it is."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false" if spot.secret else json.dumps(value)
        case int() | float():
            return "a number" if spot.secret else _clipped(json.dumps(value))
        case str():
            return "a string" if spot.secret else repr(_clipped(value))
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return "an object"


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


def _fault(place: str, path: str, message: str, line: int = 0, column: int = 0) -> Fault:
    return Fault(
        file=place, line=line, column=column, path=without_tokens(path[:200]), message=message
    )


def _sentence(fault: Fault) -> str:
    return " ".join(filter(None, (fault.file, fault.path.removesuffix("/"), fault.message)))


def _no_json(body: Any, error: Any) -> UsageError:
    """Neither the text nor any of it is repeated: it may hold anything."""
    before = str(body)[: error["loc"][1]]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    reason = error["ctx"]["error"]
    reason = reason[:1].lower() + reason[1:]
    message = f"the body is not JSON: line {line}, column {column}: {reason}"
    fault = _fault("body", "/", f"is not JSON: {reason}", line, column)
    hint = "check it with: python3 -m json.tool"
    return UsageError("E_REQUEST", message, hint=hint, faults=[fault])


def _says_json(request: Request) -> bool:
    return _JSON.match(request.headers.get("content-type", "")) is not None


def _no_json_type(request: Request) -> ContentTypeError:
    given = request.headers.get("content-type")
    says = "has no Content-Type" if given is None else f"is {_clipped(given)!r}"
    return ContentTypeError(
        "E_CONTENT_TYPE",
        f"the body {says}; expected application/json",
        hint=_SEND_JSON,
    )
