"""CloudFormation's Query protocol: form in, XML out, shaped by botocore's model of the service.

Using the model that boto3 itself parses by keeps names, lists and timestamps exact, and an answer
with a member that the service does not have is a KeyError here instead of a silent loss there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

XMLNS = "http://cloudformation.amazonaws.com/doc/2010-05-15/"


class ApiError(Exception):
    """An answer other than 200: ``code`` and ``message`` in AWS's wording."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> ApiError:
    """CloudFormation's usual refusal."""
    return ApiError("ValidationError", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parsed request: the action's name and its input, as boto3's caller gave it."""

    action: str
    values: Mapping[str, Any]


@cache
def model() -> ServiceModel:
    """botocore's model of CloudFormation."""
    return ServiceModel(
        Loader().load_service_model("cloudformation", "service-2"), "cloudformation"
    )


def parse(body: str) -> Query:
    """The request in a form-encoded body; raises ApiError for an action that is not there."""
    form = dict(parse_qsl(body, keep_blank_values=True))
    action = form.get("Action", "")
    if action not in model().operation_names:
        raise ApiError("InvalidAction", f"Could not find operation {action} for version 2010-05-15")
    shape = model().operation_model(action).input_shape
    values = _read(shape, "", form) if shape else {}
    missing = [name for name in (shape.required_members if shape else ()) if name not in values]
    if missing:
        name = missing[0][0].lower() + missing[0][1:]
        raise invalid(
            f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: "
            "Member must not be null"
        )
    return Query(action=action, values=values)


def _read(shape: Shape, prefix: str, form: Mapping[str, str]) -> Any:
    if isinstance(shape, StructureShape):
        dotted = f"{prefix}." if prefix else ""
        return {
            name: _read(member, dotted + name, form)
            for name, member in shape.members.items()
            if any(key == dotted + name or key.startswith(f"{dotted}{name}.") for key in form)
        }
    if isinstance(shape, ListShape):
        items = []
        while any(
            key == (item := f"{prefix}.member.{len(items) + 1}") or key.startswith(f"{item}.")
            for key in form
        ):
            items.append(_read(shape.member, item, form))
        return items
    text = form[prefix]
    match shape.type_name:
        case "boolean":
            return text == "true"
        case "integer" | "long":
            return int(text)
        case _:
            return text


def render_answer(action: str, values: Mapping[str, Any]) -> str:
    """The XML of a successful call."""
    operation: OperationModel = model().operation_model(action)
    shape = operation.output_shape
    result = ""
    if shape is not None:
        wrapper = shape.serialization["resultWrapper"]
        result = f"<{wrapper}>{_members(shape, values)}</{wrapper}>"
    return (
        f'<{action}Response xmlns="{XMLNS}">{result}'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )


def render_error(code: str, message: str, status: int) -> str:
    """The XML of a refused call."""
    side = "Receiver" if status >= 500 else "Sender"
    return (
        f'<ErrorResponse xmlns="{XMLNS}"><Error><Type>{side}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )


def _members(shape: StructureShape, values: Mapping[str, Any]) -> str:
    return "".join(
        f"<{name}>{_write(shape.members[name], value)}</{name}>"
        for name, value in values.items()
        if value is not None
    )


def _write(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return _members(shape, value)
    if isinstance(shape, ListShape):
        return "".join(f"<member>{_write(shape.member, item)}</member>" for item in value)
    if isinstance(shape, MapShape):
        return "".join(
            f"<entry><key>{escape(key)}</key><value>{_write(shape.value, item)}</value></entry>"
            for key, item in value.items()
        )
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value))
