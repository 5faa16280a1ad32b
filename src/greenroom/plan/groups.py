"""The security groups of an environment, and which of their rules mean something in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from greenroom.blueprint.fields import looks_like_network, parse_network
from greenroom.blueprint.schema import Blueprint, IngressSpec
from greenroom.model.stack import IngressRule, SecurityGroup
from greenroom.plan.tags import sorted_tags, type_group_tags


def security_groups(
    blueprint: Blueprint, types: Collection[str], branch: str, *, shared: bool
) -> tuple[SecurityGroup, ...]:
    """The group of every type in ``types``, then the groups that these join.

    ``shared``: they are those of the stack's shared environment.
    """
    joined = {group for name in types for group in blueprint.machines[name].groups}
    extra = [name for name in blueprint.groups if name in joined]
    reach = _Reach(shared=shared, present={*types, *extra}, shared_types=_shared_types(blueprint))
    own = (
        SecurityGroup(
            name=name,
            description=f"machine type {name}",
            ingress=_rules(blueprint.machines[name].ingress, reach),
            tags=type_group_tags(name, blueprint.machines[name].tags, branch),
        )
        for name in types
    )
    others = (
        SecurityGroup(
            name=name,
            description=blueprint.groups[name].description,
            ingress=_rules(blueprint.groups[name].ingress, reach),
            tags=sorted_tags(blueprint.groups[name].tags),
        )
        for name in extra
    )
    return (*own, *others)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reach:
    """Whom a group that a rule names means: ``present`` are the environment's own groups."""

    shared: bool
    present: Collection[str]
    shared_types: Collection[str]

    def everywhere(self, source: str) -> bool:
        """Whether members in other environments of the stack are meant as well.

        Between two ordinary environments never: one of the two ends is always a shared machine.
        """
        return self.shared or source in self.shared_types

    def means(self, source: str) -> bool:
        """Whether the source can have a member at all; a rule without one is left out."""
        return self.everywhere(source) or source in self.present


def _shared_types(blueprint: Blueprint) -> Collection[str]:
    return [name for name, spec in blueprint.machines.items() if spec.shared]


def _rules(ingress: Iterable[IngressSpec], reach: _Reach) -> tuple[IngressRule, ...]:
    """The rules, each once."""
    return tuple(dict.fromkeys(_resolved(ingress, reach)))


def _resolved(ingress: Iterable[IngressSpec], reach: _Reach) -> Iterator[IngressRule]:
    for rule in ingress:
        if looks_like_network(rule.source):
            network = parse_network(rule.source)
            yield IngressRule(protocol=rule.protocol, ports=rule.port, network=network)
        elif reach.means(rule.source):
            yield IngressRule(
                protocol=rule.protocol,
                ports=rule.port,
                group=rule.source,
                everywhere=reach.everywhere(rule.source),
            )
