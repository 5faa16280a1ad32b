"""What a resource type is to the fake: how it is made, changed and removed in the account.

What an update of a property does is AWS's own table ("Update requires" of each type's page; the
create-only properties of the published resource schemas).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape


class ResourceFailedError(Exception):
    """A resource could not be made, changed or removed; the text is the status reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a resource is made of.

    ``client`` gives a boto3 client of the account by service; ``tags`` are those that the stack
    puts on its resources, the ``aws:cloudformation:…`` ones included; ``nonce`` is new for each.
    """

    logical_id: str
    stack_id: str
    stack_name: str
    region: str
    properties: Mapping[str, Any]
    tags: Mapping[str, str]
    nonce: str
    client: Callable[[str], Any]
    launched: Callable[[Launch], None]

    @property
    def generated_name(self) -> str:
        """STACK-LOGICAL-RANDOM, as CloudFormation names what the template does not."""
        return f"{self.stack_name[:24]}-{self.logical_id[:24]}-{self.nonce[:12].upper()}"

    def all_tags(self, *, reserved: bool = True) -> dict[str, str]:
        """The stack's and the template's own tags; without ``reserved`` no ``aws:`` ones."""
        own = {tag["Key"]: str(tag["Value"]) for tag in self.properties.get("Tags", [])}
        both = {**self.tags, **own}
        return {key: both[key] for key in both if reserved or not key.startswith("aws:")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """An instance that was launched, as a rehearsal needs it. ``user_data`` is decoded; ``profile``
    the instance profile's name; ``metadata`` the MetadataOptions."""

    logical_id: str
    stack_id: str
    region: str
    instance_id: str
    image_id: str
    instance_type: str
    private_ip: str
    user_data: bytes
    tags: Mapping[str, str]
    metadata: Mapping[str, Any]
    profile: str | None
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A resource that is there. ``ref`` is what Ref gives, None for the physical id."""

    physical_id: str
    ref: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _nothing_to_do(ask: Ask, physical_id: str) -> None:
    """The fake alone keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type.

    ``attributes``: what Fn::GetAtt may ask ("*": anything). ``replaced_by``: properties whose
    change needs a new resource; ``conditionally_by``: those of which AWS says that it depends
    (the fake then keeps the resource). ``update`` None: AWS does not update it at all. ``observe``
    gives the properties as the account has them, for drift: None if the resource is gone; only
    properties that it names are compared. ``taggable``: it bears the stack's tags.
    """

    create: Callable[[Ask], Made]
    delete: Callable[[Ask, str], None] = _nothing_to_do
    update: Callable[[Ask, str, Mapping[str, Any]], Made] | None = None
    observe: Callable[[Ask, str], Mapping[str, Any] | None] | None = None
    attributes: frozenset[str] = frozenset()
    replaced_by: frozenset[str] = frozenset()
    conditionally_by: frozenset[str] = frozenset()
    taggable: bool = False
    capability: Callable[[Mapping[str, Any]], str | None] = lambda properties: None

    def recreation(self, name: str) -> str:
        """Never, Conditionally or Always, as a change set says it."""
        if name in self.replaced_by or "*" in self.replaced_by:
            return "Always"
        return "Conditionally" if name in self.conditionally_by else "Never"


def names(text: str) -> frozenset[str]:
    """The words of ``text``."""
    return frozenset(text.split())


def api_input(client: Any, operation: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with the types that boto3 wants: CloudFormation takes "8" and "true" as well.

    Raises ResourceFailedError for a property that the call does not have.
    """
    shape = client.meta.service_model.operation_model(operation).input_shape
    result: dict[str, Any] = _coerced(shape, values, "")
    return result


def _coerced(shape: Shape, value: Any, path: str) -> Any:
    if isinstance(shape, StructureShape):
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            raise ResourceFailedError(f"Encountered unsupported property {unknown[0]}")
        return {
            name: _coerced(shape.members[name], item, f"{path}.{name}")
            for name, item in value.items()
        }
    if isinstance(shape, ListShape):
        return [_coerced(shape.member, item, path) for item in value]
    if isinstance(shape, MapShape):
        return {key: _coerced(shape.value, item, path) for key, item in value.items()}
    match shape.type_name:
        case "integer" | "long":
            return int(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        case "string" if isinstance(value, bool):
            return "true" if value else "false"
        case "string":
            return str(value)
        case _:
            return value


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As most of the APIs take tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
