"""What the API's own document expects at a place of a request: the words for whoever sent something
else. Asked of the document and not of pydantic, so that hints and document cannot differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Schema = Mapping[str, Any]
Part = str | int

_ANYTHING: Schema = {}
_FORMATS = {
    "date-time": "a time with its zone, such as 2026-11-23T08:00:00Z",
    "path": "a path",
}
_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place within a body or a parameter, and what the document says of it. ``secret``: what was
    sent there must not be repeated."""

    pointer: str
    schema: Schema
    secret: bool = False

    @property
    def fields(self) -> Sequence[str]:
        """The names that an object takes here; none where any name will do."""
        return tuple(self.schema.get("properties", ()))

    @property
    def choices(self) -> Sequence[str]:
        """The texts of which one is expected; none where it is no choice."""
        return _choices(self.schema)


def spot_at(document: Schema, schema: Schema, parts: Iterable[Part]) -> Spot:
    """Where ``parts`` lead from ``schema``, which lies in ``document``: keys, indexes, and, as
    pydantic has it, the name of the one that a ``kind`` chose, which is no part of the pointer
    (RFC 6901)."""
    spot = Spot(pointer="", schema=_plain(document, schema))
    for part in parts:
        chosen = spot.schema.get("discriminator", {}).get("mapping", {}).get(part)
        if chosen is not None:
            spot = replace(spot, schema=_plain(document, {"$ref": chosen}))
            continue
        token = str(part).replace("~", "~0").replace("/", "~1")
        below = _plain(document, _below(spot.schema, part))
        secret = spot.secret or below.get("writeOnly", False)
        spot = Spot(pointer=f"{spot.pointer}/{token}", schema=below, secret=secret)
    return spot


def expected(schema: Schema) -> str:
    """In words: ``a whole number (1 to 500)``."""
    choices = _choices(schema)
    if choices:
        return one_of(choices)
    if "discriminator" in schema:
        return "an object"
    kind = _TYPES.get(schema.get("type", ""), "something else")
    kind = _FORMATS.get(schema.get("format", ""), kind)
    bounds = _bounds(schema)
    return f"{kind} ({', '.join(bounds)})" if bounds else kind


def one_of(choices: Sequence[str]) -> str:
    """``viewer, developer or operator``."""
    *first, last = choices
    return f"{', '.join(first)} or {last}" if first else last


def _bounds(schema: Schema) -> list[str]:
    found = []
    for least, most, unit in _RANGES:
        if least in schema and most in schema:
            found.append(f"{schema[least]} to {schema[most]}{unit}")
        elif least in schema:
            found.append(f"at least {schema[least]}{unit}")
        elif most in schema:
            found.append(f"at most {schema[most]}{unit}")
    if "exclusiveMaximum" in schema:
        found.append(f"less than {schema['exclusiveMaximum']}")
    if "pattern" in schema:
        found.append(f"that matches {schema['pattern']}")
    return found


def _choices(schema: Schema) -> Sequence[str]:
    if "const" in schema:
        return (str(schema["const"]),)
    return tuple(str(each) for each in schema.get("enum", ()))


def _below(schema: Schema, part: Part) -> Schema:
    if isinstance(part, int):
        return _schema(schema.get("items"))
    named = schema.get("properties", {}).get(part)
    return _schema(schema.get("additionalProperties") if named is None else named)


def _schema(found: Any) -> Schema:
    # ``additionalProperties: false`` is no schema.
    return found if isinstance(found, Mapping) else _ANYTHING


def _plain(document: Schema, schema: Schema) -> Schema:
    """``schema`` with its reference followed, and of one that may be null what else it may be;
    what it says itself, such as that it is secret, stays."""
    if "$ref" in schema:
        *_, name = schema["$ref"].split("/")
        referred: Schema = document["components"]["schemas"][name]
        return {**_plain(document, referred), **_without(schema, "$ref")}
    real = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(real) == 1:
        return {**_plain(document, real[0]), **_without(schema, "anyOf")}
    return schema


def _without(schema: Schema, name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}
