"""The blueprint's JSON Schema, for editors."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from greenroom.blueprint.part import Part
from greenroom.blueprint.schema import Blueprint, BlueprintDocument

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def blueprint_json_schema() -> dict[str, Any]:
    """The schema of ``greenroom.yaml`` (JSON Schema draft 2020-12), with every description."""
    schema = BlueprintDocument.model_json_schema(by_alias=True, mode="validation")
    _describe(schema)
    _tighten(schema)
    return {"$schema": DIALECT, **schema, "title": "greenroom blueprint"}


def _describe(schema: dict[str, Any]) -> None:
    """Give every key the text that stands below its field.

    Pydantic could do that by itself (``use_attribute_docstrings``), but it would read the sources
    whenever the models are imported: a fifth of what importing them costs each command.
    """
    texts = {(type_, field): text for type_, field, text in _texts()}
    for model in Part.__subclasses__():
        node = schema if model is BlueprintDocument else schema["$defs"].get(model.__name__)
        if node is None or issubclass(model, Blueprint):
            continue
        for name, field in model.model_fields.items():
            node["properties"][field.alias or name]["description"] = texts[model.__name__, name]


def _texts() -> Iterator[tuple[str, str, str]]:
    """Class, field and the string below it, of every module that has parts of the blueprint."""
    for module in {model.__module__ for model in Part.__subclasses__()}:
        for node in ast.parse(inspect.getsource(sys.modules[module])).body:
            if isinstance(node, ast.ClassDef):
                for field, below in zip(node.body, node.body[1:], strict=False):
                    match field, below:
                        case (
                            ast.AnnAssign(target=ast.Name(id=name)),
                            ast.Expr(value=ast.Constant(value=str(text))),
                        ):
                            yield node.name, name, inspect.cleandoc(text)


def _tighten(node: Any) -> None:
    """Refuse keys that match no pattern, and drop titles that only repeat a key's name.

    Pydantic writes ``patternProperties`` for mappings with named keys but lets others pass.
    """
    if isinstance(node, list):
        for item in node:
            _tighten(item)
    if not isinstance(node, dict):
        return
    if "patternProperties" in node:
        node["additionalProperties"] = False
        node.pop("propertyNames", None)
    if isinstance(node.get("title"), str):
        del node["title"]
    for value in node.values():
        _tighten(value)
