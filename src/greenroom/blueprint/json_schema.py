"""The blueprint's JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

from greenroom.blueprint.schema import BlueprintDocument

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def blueprint_json_schema() -> dict[str, Any]:
    """The schema of ``greenroom.yaml`` (JSON Schema draft 2020-12), with every description."""
    schema = BlueprintDocument.model_json_schema(by_alias=True, mode="validation")
    _tighten(schema)
    return {"$schema": DIALECT, **schema, "title": "greenroom blueprint"}


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
