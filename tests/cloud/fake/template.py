"""A template: its parts, parameters, conditions, intrinsic functions and dependencies.

What it knows: Ref, Fn::GetAtt, Sub, Join, Base64, Select, Split, If, Equals, And, Or, Not,
FindInMap, ``{{resolve:ssm:…}}`` and the pseudo parameters. Anything else is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cfn_flip

from tests.cloud.fake.query import invalid

NO_VALUE = object()
"""What Ref AWS::NoValue gives: the property is left out."""

RESOURCES_MAX = 500
_PSEUDO = frozenset(
    f"AWS::{name}"
    for name in ("AccountId", "NoValue", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
_SUB = re.compile(r"\$\{(!?)([^}]+)\}")
_DYNAMIC = re.compile(r"\{\{resolve:ssm:([^:}]+)(?::\d+)?\}\}")
_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
    }
)
_RESOURCE_KEYS = frozenset(
    {
        "Condition",
        "DeletionPolicy",
        "DependsOn",
        "Metadata",
        "Properties",
        "Type",
        "UpdatePolicy",
        "UpdateReplacePolicy",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceBlock:
    """A resource as the template has it. ``requires``: the resources it refers to or waits for."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    requires: frozenset[str]
    condition: str | None
    deletion_policy: str
    replace_policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that was found well-formed."""

    description: str | None
    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, ResourceBlock]
    outputs: Mapping[str, Mapping[str, Any]]


class Scope(Protocol):
    """What a template's functions are resolved against."""

    def ref(self, name: str) -> Any: ...
    def attribute(self, name: str, attribute: str) -> Any: ...
    def condition(self, name: str) -> bool: ...
    def mapping(self, name: str, first: str, second: str) -> Any: ...
    def ssm(self, name: str) -> str: ...


def parse_template(body: str, attributes: Callable[[str], frozenset[str] | None]) -> Template:
    """The template in JSON or YAML.

    ``attributes`` gives what Fn::GetAtt knows of a resource type ("*": anything), None for a type
    that there is not. Raises ApiError in CloudFormation's words.
    """
    document = _load(body)
    unknown = sorted(set(document) - _SECTIONS)
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    if not document.get("Resources"):
        raise invalid("Template format error: At least one Resources member must be defined.")
    blocks = {name: _block(name, raw) for name, raw in document["Resources"].items()}
    template = Template(
        description=document.get("Description"),
        parameters=document.get("Parameters", {}),
        mappings=document.get("Mappings", {}),
        conditions=document.get("Conditions", {}),
        resources=blocks,
        outputs=document.get("Outputs", {}),
    )
    _refuse_unknown_types(template, attributes)
    _refuse_unresolved(template)
    _refuse_unknown_attributes(template, attributes)
    _refuse_circles(template)
    return template


def _load(body: str) -> dict[str, Any]:
    try:
        document = cfn_flip.load(body)[0]
    except Exception as exc:
        kind = "JSON" if body.lstrip().startswith("{") else "YAML"
        raise invalid(f"Template format error: {kind} not well-formed.") from exc
    if not isinstance(document, dict):
        raise invalid("Template format error: unsupported structure.")
    return document


def _block(name: str, raw: Mapping[str, Any]) -> ResourceBlock:
    if not re.fullmatch(r"[A-Za-z0-9]{1,255}", name):
        raise invalid(f"Template format error: Resource name {name} is non alphanumeric.")
    unknown = sorted(set(raw) - _RESOURCE_KEYS)
    if unknown:
        # CreationPolicy is known to AWS: a fake that ignored it would never wait.
        raise invalid(f"Invalid template resource property '{unknown[0]}'")
    depends = raw.get("DependsOn", [])
    requires = {depends} if isinstance(depends, str) else set(depends)
    properties = raw.get("Properties", {})
    return ResourceBlock(
        logical_id=name,
        type=raw["Type"],
        properties=properties,
        requires=frozenset(requires | {ref for ref, _ in references(properties)}),
        condition=raw.get("Condition"),
        deletion_policy=raw.get("DeletionPolicy", "Delete"),
        replace_policy=raw.get("UpdateReplacePolicy", "Delete"),
    )


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Every (name, attribute) that ``value`` refers to; the attribute is None for a Ref."""
    match value:
        case {"Ref": str() as name}:
            yield name, None
        case {"Fn::GetAtt": str() as dotted}:
            name, _, attribute = dotted.partition(".")
            yield name, attribute
        case {"Fn::GetAtt": [name, attribute]}:
            yield name, attribute if isinstance(attribute, str) else None
        case {"Fn::Sub": str() as text}:
            yield from _sub_references(text, {})
        case {"Fn::Sub": [text, named]}:
            yield from _sub_references(text, named)
            yield from references(named)
        case Mapping():
            for item in value.values():
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)


def _sub_references(text: str, named: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for literal, name in _SUB.findall(text):
        if not literal and name not in named:
            name, _, attribute = name.partition(".")
            yield name, attribute or None


def _refuse_unknown_types(
    template: Template, attributes: Callable[[str], frozenset[str] | None]
) -> None:
    types = {block.type for block in template.resources.values()}
    unknown = sorted(type_ for type_ in types if attributes(type_) is None)
    if unknown:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    if len(template.resources) > RESOURCES_MAX:
        raise invalid(
            f"Template format error: Number of resources, {len(template.resources)}, "
            f"is greater than maximum allowed, {RESOURCES_MAX}"
        )


def _refuse_unresolved(template: Template) -> None:
    known = set(template.resources) | set(template.parameters) | _PSEUDO
    for block in template.resources.values():
        missing = sorted(
            ({name for name, _ in references(block.properties)} | block.requires) - known
        )
        if missing:
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
                "in the Resources block of the template"
            )
    for output in template.outputs.values():
        missing = sorted({name for name, _ in references(output)} - known)
        if missing:
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
                "in the Outputs block of the template"
            )


def _refuse_unknown_attributes(
    template: Template, attributes: Callable[[str], frozenset[str] | None]
) -> None:
    used = [pair for block in template.resources.values() for pair in references(block.properties)]
    used += [pair for output in template.outputs.values() for pair in references(output)]
    for name, attribute in used:
        block = template.resources.get(name)
        if block is None or attribute is None:
            continue
        known = attributes(block.type) or frozenset()
        if attribute not in known and "*" not in known:
            raise invalid(
                f"Template error: resource {name} does not support attribute type {attribute} "
                "in Fn::GetAtt"
            )


def _refuse_circles(template: Template) -> None:
    left = {
        name: set(block.requires) & set(template.resources)
        for name, block in template.resources.items()
    }
    while free := [name for name, needs in left.items() if not needs]:
        for name in free:
            del left[name]
        for needs in left.values():
            needs.difference_update(free)
    if left:
        raise invalid(f"Circular dependency between resources: [{', '.join(sorted(left))}]")


def resolve(value: Any, scope: Scope) -> Any:
    """``value`` with every function in it evaluated; NO_VALUE entries are left out."""
    match value:
        case {"Ref": str() as name}:
            return scope.ref(name)
        case {"Condition": str() as name} if len(value) == 1:
            return scope.condition(name)
        case Mapping() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
            ((function, argument),) = value.items()
            return _call(function, argument, scope)
        case Mapping():
            resolved = {key: resolve(item, scope) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not NO_VALUE}
        case list():
            items = (resolve(item, scope) for item in value)
            return [item for item in items if item is not NO_VALUE]
        case str():
            return _DYNAMIC.sub(lambda found: scope.ssm(found.group(1)), value)
        case _:
            return value


def _call(function: str, argument: Any, scope: Scope) -> Any:
    match function, argument:
        case "Fn::GetAtt", str():
            name, _, attribute = argument.partition(".")
            return scope.attribute(name, attribute)
        case "Fn::GetAtt", [name, attribute]:
            return scope.attribute(name, resolve(attribute, scope))
        case "Fn::Sub", str():
            return _sub(argument, {}, scope)
        case "Fn::Sub", [text, named]:
            return _sub(text, resolve(named, scope), scope)
        case "Fn::Join", [sign, items]:
            return sign.join(_text(item) for item in resolve(items, scope))
        case "Fn::Split", [sign, text]:
            return resolve(text, scope).split(sign)
        case "Fn::Select", [index, items]:
            return resolve(items, scope)[int(resolve(index, scope))]
        case "Fn::Base64", _:
            return base64.b64encode(resolve(argument, scope).encode()).decode()
        case "Fn::If", [name, yes, no]:
            return resolve(yes if scope.condition(name) else no, scope)
        case "Fn::FindInMap", [name, first, second]:
            return scope.mapping(name, resolve(first, scope), resolve(second, scope))
        case "Fn::Equals", [one, other]:
            return _text(resolve(one, scope)) == _text(resolve(other, scope))
        case "Fn::Not", [one]:
            return not resolve(one, scope)
        case "Fn::And", list():
            return all(resolve(item, scope) for item in argument)
        case "Fn::Or", list():
            return any(resolve(item, scope) for item in argument)
        case _:
            raise invalid(f"Template error: the fake does not know {function} of {argument!r}")


def _sub(text: str, named: Mapping[str, Any], scope: Scope) -> str:
    def value(found: re.Match[str]) -> str:
        literal, name = found.groups()
        if literal:
            return f"${{{name}}}"
        if name in named:
            return _text(named[name])
        name, _, attribute = name.partition(".")
        return _text(scope.attribute(name, attribute) if attribute else scope.ref(name))

    return _SUB.sub(value, text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
