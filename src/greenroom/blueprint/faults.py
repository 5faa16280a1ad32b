"""What pydantic says about a tree, as faults that state the value and what was expected."""

from __future__ import annotations

import types
import typing

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from greenroom.blueprint.fields import shown
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.tree import Path, Tree
from greenroom.errors import Fault

_KEY_MARK = "[key]"
"""Pydantic ends a location with this when it speaks of a mapping's key, not of its value."""


def schema_faults(tree: Tree, model: type[BaseModel], error: ValidationError) -> list[Fault]:
    """One fault per complaint of pydantic, at the place in the file."""
    return [_fault(tree, model, detail) for detail in error.errors(include_url=False)]


def _fault(tree: Tree, model: type[BaseModel], detail: ErrorDetails) -> Fault:
    path = _path(detail)
    if detail["type"] == "extra_forbidden":
        known = keys_of(model, path[:-1])
        return tree.fault(path, unknown("key", str(path[-1]), known), key=True)
    if detail["type"] == "missing":
        return tree.fault(path, f"the required key {path[-1]!r} is missing")
    return tree.fault(path, _message(detail), key=_is_key(detail))


def _is_key(detail: ErrorDetails) -> bool:
    return detail["loc"][-1:] == (_KEY_MARK,)


def _path(detail: ErrorDetails) -> Path:
    return tuple(part for part in detail["loc"] if part != _KEY_MARK)


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def _message(detail: ErrorDetails) -> str:
    value, kind, context = detail["input"], detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _EXPECTED:
        advice = "; put it in quotes" if _wants_quotes(kind, value) else ""
        return f"{shown(value)} is not {_EXPECTED[kind]}{advice}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{shown(value)} is out of range; expected {words} {context[key]:g}"
    if kind in ("enum", "literal_error"):
        return f"{shown(value)} is not known; expected {context['expected']}"
    if kind in ("too_short", "too_long"):
        return "is empty; expected at least one entry" if kind == "too_short" else detail["msg"]
    return f"{shown(value)}: {detail['msg']}"


def _wants_quotes(kind: str, value: object) -> bool:
    return kind == "string_type" and isinstance(value, bool | int | float)


def keys_of(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that the mapping at ``path`` of ``model`` may have."""
    annotation: object = model
    for part in path:
        annotation = _inside(_model_in(annotation) or annotation, part)
    found = _model_in(annotation)
    if found is None:
        return []
    return [field.alias or name for name, field in found.model_fields.items()]


def _inside(annotation: object, part: str | int) -> object:
    """The annotation of what stands at ``part`` of a value annotated so."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
        return None
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) in (types.UnionType, typing.Union, typing.Annotated):
        return _inside(arguments[0], part)
    if typing.get_origin(annotation) is dict:
        return arguments[1]
    return arguments[0] if arguments else None


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The model that an annotation such as ``DeploySpec | None`` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (types.UnionType, typing.Union, typing.Annotated):
        return _model_in(typing.get_args(annotation)[0])
    return None
