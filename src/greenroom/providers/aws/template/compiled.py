"""What the compiler gives, and the parts that it is put together from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, object]
"""A part of a template, ready for JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedTemplate:
    """A template that another one names by URL: it must lie at ``key`` of greenroom's bucket
    before the other one is used. The key holds the hash of ``body`` (JSON)."""

    key: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTemplate:
    """A CloudFormation template. ``body`` is compact JSON, the same for the same CloudStack;
    ``resources`` counts those of the nested templates too."""

    body: str
    nested: tuple[NestedTemplate, ...]
    resources: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource. ``home`` is the machine type whose nested stack it moves to where one stack
    cannot hold everything; None: it stays in the parent."""

    id: str
    home: str | None
    body: Body


def resource_of(made: Any, home: str | None) -> Resource:
    """What troposphere has made, checked by it, in the order in which people write resources."""
    body = made.to_dict()
    return Resource(id=made.title, home=home, body={"Type": body.pop("Type"), **body})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a template, each by its logical id."""

    description: str
    parameters: Mapping[str, Body]
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Body] = field(default_factory=dict)
