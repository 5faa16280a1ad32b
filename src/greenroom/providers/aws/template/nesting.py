"""Nested stacks: the way out of CloudFormation's 500 resources, one for each machine type.

What one template says of another's resource becomes a parameter or an output. That is done to
the finished parts, so no other module knows of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from troposphere.cloudformation import Stack

from greenroom.model.cloud import CloudStack
from greenroom.providers.aws.template.compiled import (
    Body,
    NestedTemplate,
    Parts,
    Resource,
    resource_of,
)
from greenroom.providers.aws.template.document import rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    """What a template says of a resource or parameter: ``attribute`` None is a Ref."""

    id: str
    attribute: str | None

    @property
    def name(self) -> str:
        """What the parameter or output that carries it is called."""
        return self.id + (self.attribute or "").replace(".", "")

    @property
    def expression(self) -> object:
        """The reference as a template writes it."""
        return {"Fn::GetAtt": [self.id, self.attribute]} if self.attribute else {"Ref": self.id}


@dataclass(slots=True, kw_only=True)
class _Child:
    """A nested stack as it is put together: the references that it is given as parameters, the
    outputs that others ask of it, and what it comes after."""

    title: str
    resources: list[Resource] = field(default_factory=list)
    given: dict[str, _Reference] = field(default_factory=dict)
    outputs: dict[str, Body] = field(default_factory=dict)
    after: dict[str, None] = field(default_factory=dict)


def nested(
    parts: Parts, cloud: CloudStack, titles: Mapping[str, str]
) -> tuple[Parts, tuple[NestedTemplate, ...]]:
    """The parent with one nested stack for each home in ``parts``, and these templates.

    ``titles`` gives the logical id of each home's stack. Raises InputError E_AWS_TEMPLATE_SIZE
    if that is still too much for one of them.
    """
    split = _Split(parts, titles)
    own = [split.in_parent(resource) for resource in parts.resources if resource.home is None]
    outputs = {name: split.in_parent_body(body) for name, body in parts.outputs.items()}
    arguments = {home: dict(split.arguments(child)) for home, child in split.children.items()}
    # Only now is it known which outputs are asked of each.
    templates = {
        home: _template(parts, split, child, cloud) for home, child in split.children.items()
    }
    stacks = [
        _stack(cloud, child, templates[home], arguments[home])
        for home, child in split.children.items()
    ]
    parent = Parts(
        description=parts.description,
        parameters=parts.parameters,
        resources=(*own, *stacks),
        outputs=outputs,
    )
    return parent, tuple(templates.values())


class _Split:
    """The parts with their homes, and the children as they grow."""

    def __init__(self, parts: Parts, titles: Mapping[str, str]) -> None:
        self._homes = {resource.id: resource.home for resource in parts.resources}
        self._parameters = parts.parameters
        self.children = {home: _Child(title=title) for home, title in titles.items()}
        for resource in parts.resources:
            if resource.home is not None:
                self._move(resource, self.children[resource.home])

    def in_parent(self, resource: Resource) -> Resource:
        """A resource of the parent, with what it says of nested ones by their outputs."""
        body = self.in_parent_body(resource.body)
        if "DependsOn" in body:
            after = [self._stands_for(id) for id in _depends_on(body)]
            body = {**body, "DependsOn": list(dict.fromkeys(after))}
        return Resource(id=resource.id, home=None, body=body)

    def in_parent_body(self, body: Body) -> Body:
        """A part of the parent, likewise."""
        return self._replaced_in(body, self._parent_expression)

    def parameters(self, child: _Child) -> Iterator[tuple[str, Body]]:
        """The parameters of a nested template."""
        for name, reference in child.given.items():
            yield name, {"Type": self._type_of(reference)}

    def arguments(self, child: _Child) -> Iterator[tuple[str, object]]:
        """What the parent gives for them."""
        for name, reference in child.given.items():
            value = self._parent_expression(reference)
            is_list = self._type_of(reference).startswith("List<")
            yield name, {"Fn::Join": [",", value]} if is_list else value

    def _move(self, resource: Resource, child: _Child) -> None:
        def expression(reference: _Reference) -> object:
            if self._homes.get(reference.id) == resource.home:
                return reference.expression
            child.given[reference.name] = reference
            return {"Ref": reference.name}

        body = dict(self._replaced_in(resource.body, expression))
        needed = _depends_on(body)
        inside = [id for id in needed if self._homes[id] == resource.home]
        outside = [self._stands_for(id) for id in needed if self._homes[id] != resource.home]
        child.after.update(dict.fromkeys(outside))
        body.pop("DependsOn", None)
        if inside:
            body["DependsOn"] = inside
        child.resources.append(Resource(id=resource.id, home=resource.home, body=body))

    def _parent_expression(self, reference: _Reference) -> object:
        home = self._homes.get(reference.id)
        if home is None:
            return reference.expression
        child = self.children[home]
        child.outputs[reference.name] = {"Value": reference.expression}
        return {"Fn::GetAtt": [child.title, f"Outputs.{reference.name}"]}

    def _stands_for(self, id: str) -> str:
        """What the parent waits for, where a resource would wait for ``id``."""
        home = self._homes[id]
        return id if home is None else self.children[home].title

    def _type_of(self, reference: _Reference) -> str:
        parameter = self._parameters.get(reference.id)
        return "String" if parameter is None else str(parameter["Type"])

    def _replaced_in(self, body: Body, expression: Callable[[_Reference], object]) -> Body:
        """The body with every reference to a resource or parameter of ours as ``expression``
        writes it; pseudo parameters stay."""

        def replaced(value: object) -> object:
            reference = _reference(value)
            if reference is not None and (
                reference.id in self._homes or reference.id in self._parameters
            ):
                return expression(reference)
            if isinstance(value, Mapping):
                return {key: replaced(each) for key, each in value.items()}
            if isinstance(value, list):
                return [replaced(each) for each in value]
            return value

        return {key: replaced(value) for key, value in body.items()}


def _reference(value: object) -> _Reference | None:
    match value:
        case {"Ref": str(id)}:
            return _Reference(id=id, attribute=None)
        case {"Fn::GetAtt": [str(id), str(attribute)]}:
            return _Reference(id=id, attribute=attribute)
    return None


def _depends_on(body: Body) -> list[str]:
    found = body.get("DependsOn", [])
    assert isinstance(found, list), found
    return found


def _template(parts: Parts, split: _Split, child: _Child, cloud: CloudStack) -> NestedTemplate:
    body = rendered(
        Parts(
            description=f"{parts.description}: {child.title}",
            parameters=dict(split.parameters(child)),
            resources=tuple(child.resources),
            outputs=child.outputs,
        )
    )
    digest = hashlib.sha256(body.encode()).hexdigest()
    return NestedTemplate(key=f"templates/{cloud.stack.environment}/{digest}.json", body=body)


def _stack(
    cloud: CloudStack, child: _Child, template: NestedTemplate, arguments: Mapping[str, object]
) -> Resource:
    after = {"DependsOn": list(child.after)} if child.after else {}
    stack = Stack(
        child.title,
        TemplateURL=f"{cloud.s3_url}/{cloud.bucket}/{template.key}",
        Parameters=dict(arguments),
        **after,
    )
    return resource_of(stack, home=None)
