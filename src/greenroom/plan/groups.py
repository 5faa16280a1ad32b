"""The security groups of an environment, and which of their rules mean something in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from greenroom.blueprint.fields import looks_like_network, parse_network
from greenroom.blueprint.schema import Blueprint, IngressSpec
from greenroom.model.stack import IngressRule, SecurityGroup
from greenroom.plan.tags import sorted_tags, type_group_tags


def security_groups(
    blueprint: Blueprint, types: Collection[str], branch: str
) -> tuple[SecurityGroup, ...]:
    """The group of every type in ``types``, then the groups that these join."""
    joined = {group for name in types for group in blueprint.machines[name].groups}
    extra = [name for name in blueprint.groups if name in joined]
    present = {*types, *extra}
    own = (
        SecurityGroup(
            name=name,
            description=f"machine type {name}",
            ingress=_rules(blueprint.machines[name].ingress, present),
            tags=type_group_tags(name, blueprint.machines[name].tags, branch),
        )
        for name in types
    )
    others = (
        SecurityGroup(
            name=name,
            description=blueprint.groups[name].description,
            ingress=_rules(blueprint.groups[name].ingress, present),
            tags=sorted_tags(blueprint.groups[name].tags),
        )
        for name in extra
    )
    return (*own, *others)


def _rules(ingress: Iterable[IngressSpec], present: Collection[str]) -> tuple[IngressRule, ...]:
    """The rules, each once. A source that this environment lacks admits nobody: left out."""
    rules = (
        IngressRule(
            protocol=rule.protocol,
            ports=rule.port,
            group=None if looks_like_network(rule.source) else rule.source,
            network=parse_network(rule.source) if looks_like_network(rule.source) else None,
        )
        for rule in ingress
        if looks_like_network(rule.source) or rule.source in present
    )
    return tuple(dict.fromkeys(rules))
