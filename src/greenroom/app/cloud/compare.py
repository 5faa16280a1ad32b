"""What differs between an environment as it was declared and the account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from greenroom.app.cloud.choose import identity_of
from greenroom.cloud_inventory import CloudInventory
from greenroom.errors import OperationError, RefusedError
from greenroom.model.cloud_account import FoundStack
from greenroom.model.cloud_views import (
    Compared,
    Difference,
    DriftKind,
    DriftReport,
    Power,
    SeenInstance,
    SeenResource,
    SeenRule,
    Unverified,
    rule_words,
)

POLL_S = 1.0
DETECTION_PATIENCE_S = 600.0
_SHOWN_MAX = 60

_STACK = "AWS::CloudFormation::Stack"
_INGRESS = "AWS::EC2::SecurityGroupIngress"
_EGRESS = "AWS::EC2::SecurityGroupEgress"
_GROUP = "AWS::EC2::SecurityGroup"
_INSTANCE = "AWS::EC2::Instance"
_SCALING = "AWS::AutoScaling::AutoScalingGroup"
_WORDLESS = ("AWS::CloudFormation::WaitConditionHandle", "AWS::CloudFormation::WaitCondition")
"""They are nothing in the account: there is nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparer:
    """What a comparison needs. ``pause`` sleeps."""

    inventory: CloudInventory
    pause: Callable[[float], None] = time.sleep
    clock_s: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


def compare(
    comparer: Comparer, stack: FoundStack, wanted: Mapping[str, Any] | None = None
) -> DriftReport:
    """Compare the stack's resources with the account: CloudFormation's drift detection, then the
    rules of its groups and the state of its instances, which that does not see. ``wanted`` is the
    template that the blueprint at hand gives, to be compared with the one that was deployed.

    Raises RefusedError E_AWS_BUSY for a stack that is moving, OperationError E_AWS_DRIFT if the
    detection does not end.
    """
    name = str(identity_of(stack).environment)
    _refuse_moving(stack)
    inventory = comparer.inventory
    listed = inventory.resources(stack.id)
    # The detection of a stack does not look into those that are nested in it.
    nested = [each.physical_id for each in listed if each.type == _STACK and each.physical_id]
    whys, found = zip(
        *((_detect(comparer, stack, id_), inventory.drifts(id_)) for id_ in (stack.id, *nested)),
        strict=True,
    )
    resources = [each for each in listed if each.type not in _WORDLESS]
    compared = _together(found)
    groups = [each.physical_id for each in resources if _has_group_id(each)]
    rules = inventory.rules(groups) if groups else ()
    templates = [inventory.template(id_) for id_ in (stack.id, *nested)]
    instances = inventory.instances(name)
    differences = (
        *compared.differences,
        *rule_differences(resources, rules, compared, outward_rules(templates)),
        *state_differences(resources, instances, compared),
        *(blueprint_differences(wanted, templates[0]) if wanted else ()),
    )
    return DriftReport(
        environment=name,
        at=comparer.now(),
        differences=differences,
        unverified=(
            *unverified(resources, compared, "; ".join(filter(None, whys))),
            *unread_rules(resources),
        ),
        compared=len(compared.compared),
    )


def outward_rules(templates: Sequence[Mapping[str, Any]]) -> frozenset[tuple[str, str]]:
    """What groups may reach by their own properties: logical ids and words (pure). A group that
    says nothing gets EC2's rule, which lets everything out."""
    return frozenset(
        (
            logical_id,
            rule_words(
                str(rule.get("CidrIp")),
                str(rule.get("IpProtocol")),
                int(rule.get("FromPort", -1)),
                int(rule.get("ToPort", -1)),
                egress=True,
            ),
        )
        for template in templates
        for logical_id, resource in template.get("Resources", {}).items()
        if resource.get("Type") == _GROUP
        for rule in resource.get("Properties", {}).get("SecurityGroupEgress") or _EVERYTHING
    )


_EVERYTHING = ({"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"},)


def rule_differences(
    resources: Sequence[SeenResource],
    rules: Sequence[SeenRule],
    compared: Compared,
    outward: frozenset[tuple[str, str]] = frozenset(),
) -> Iterator[Difference]:
    """Rules in groups of ours that the stack does not know, and its own that are gone (pure).

    CloudFormation knows each rule that it made by EC2's id of it, but for the ``outward`` ones,
    which are properties of groups.
    """
    declared = {each.physical_id: each for each in resources if each.type in (_INGRESS, _EGRESS)}
    groups = {each.physical_id: each.logical_id for each in resources if each.type == _GROUP}
    told = {each.resource for each in compared.differences}
    for rule in rules:
        own = rule.egress and (groups.get(rule.group, ""), rule.words) in outward
        if rule.id not in declared and not own:
            yield Difference(
                kind=DriftKind.ADDED,
                resource=groups.get(rule.group, rule.group),
                type=_GROUP,
                physical_id=rule.group,
                where="egress" if rule.egress else "ingress",
                expected="",
                actual=f"{rule.words} ({rule.id})",
            )
    seen = {rule.id for rule in rules}
    for id_, resource in declared.items():
        if id_.startswith("sgr-") and id_ not in seen and resource.logical_id not in told:
            yield Difference(
                kind=DriftKind.MISSING,
                resource=resource.logical_id,
                type=resource.type,
                physical_id=id_,
                where="",
                expected="there",
                actual="deleted",
            )
    there = {(groups.get(rule.group, ""), rule.words) for rule in rules if rule.egress}
    ids = {name: id_ for id_, name in groups.items() if id_.startswith("sg-")}
    for name, words in sorted(outward - there):
        if name in ids and name not in told:
            yield Difference(
                kind=DriftKind.MISSING,
                resource=name,
                type=_GROUP,
                physical_id=ids[name],
                where="egress",
                expected=words,
                actual="deleted",
            )


def state_differences(
    resources: Sequence[SeenResource], instances: Sequence[SeenInstance], compared: Compared
) -> Iterator[Difference]:
    """Instances that do not run (pure). CloudFormation's detection compares properties, and a
    stopped instance has all of them."""
    told = {each.resource for each in compared.differences if each.kind is DriftKind.MISSING}
    powers = {each.id: each.power for each in instances}
    for resource in resources:
        if resource.type != _INSTANCE or resource.logical_id in told:
            continue
        power = powers.get(resource.physical_id)
        if power is not Power.RUNNING:
            yield _state(resource, power.value if power else "not there")
    for resource in resources:
        if resource.type == _SCALING and not any(
            each.logical_id == resource.logical_id and each.power is Power.RUNNING
            for each in instances
        ):
            yield _state(resource, "no instance runs")


def unverified(
    resources: Sequence[SeenResource], compared: Compared, why: str
) -> tuple[Unverified, ...]:
    """What nobody could compare (pure). Of a type that the detection does not support, AWS says
    nothing at all."""
    said = {each.resource for each in compared.unverified}
    silent = why or "CloudFormation's drift detection does not support this type"
    return (
        *compared.unverified,
        *(
            Unverified(resource=each.logical_id, type=each.type, why=silent)
            for each in resources
            if each.logical_id not in said and each.logical_id not in compared.compared
        ),
    )


def unread_rules(resources: Sequence[SeenResource]) -> Iterator[Unverified]:
    """Groups without a VPC of their own, which CloudFormation calls by their names (pure)."""
    for each in resources:
        if each.type == _GROUP and not _has_group_id(each):
            why = "its rules: CloudFormation knows the group by its name only"
            yield Unverified(resource=each.logical_id, type=each.type, why=why)


def _has_group_id(resource: SeenResource) -> bool:
    return resource.type == _GROUP and resource.physical_id.startswith("sg-")


def blueprint_differences(
    wanted: Mapping[str, Any], deployed: Mapping[str, Any]
) -> Iterator[Difference]:
    """What an update would change, property by property, from the two templates alone (pure)."""
    new, old = wanted.get("Resources", {}), deployed.get("Resources", {})
    for logical_id in sorted({*new, *old}):
        after, before = new.get(logical_id), old.get(logical_id)
        if after is None or before is None:
            type_ = (after or before)["Type"]
            words = ("", "deployed") if after is None else ("to be made", "")
            yield _of_blueprint(logical_id, type_, "", *words)
            continue
        for name, new_value, old_value in _properties(after, before):
            if new_value != old_value:
                yield _of_blueprint(
                    logical_id, after["Type"], name, _shown(new_value), _shown(old_value)
                )


def _properties(
    after: Mapping[str, Any], before: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Each property, and each attribute beside the properties, of two versions of a resource."""
    for part, prefix in (("Properties", "/"), (None, "")):
        new = after if part is None else after.get(part, {})
        old = before if part is None else before.get(part, {})
        for name in sorted({*new, *old} - {"Properties"}):
            yield f"{prefix}{name}", new.get(name), old.get(name)


def _shown(value: object) -> str:
    """A value in bounded length: user data is none for a table."""
    text = "" if value is None else json.dumps(value, sort_keys=True)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}… ({len(text)} characters)"


def _of_blueprint(
    logical_id: str, type_: str, where: str, expected: str, actual: str
) -> Difference:
    return Difference(
        kind=DriftKind.BLUEPRINT,
        resource=logical_id,
        type=type_,
        physical_id="",
        where=where,
        expected=expected,
        actual=actual,
    )


def _state(resource: SeenResource, actual: str) -> Difference:
    return Difference(
        kind=DriftKind.STATE,
        resource=resource.logical_id,
        type=resource.type,
        physical_id=resource.physical_id,
        where="state",
        expected="running",
        actual=actual,
    )


def _refuse_moving(stack: FoundStack) -> None:
    if stack.moving:
        name = identity_of(stack).environment
        raise RefusedError(
            "E_AWS_BUSY",
            f"{name} is moving ({stack.status}): there is nothing to compare with yet",
            hint=f"wait until it is over: greenroom show --provider aws {name}",
        )


def _together(found: Sequence[Compared]) -> Compared:
    return Compared(
        differences=tuple(each for one in found for each in one.differences),
        unverified=tuple(each for one in found for each in one.unverified),
        compared=tuple(each for one in found for each in one.compared),
    )


def _detect(comparer: Comparer, stack: FoundStack, stack_id: str) -> str:
    """Have CloudFormation compare; why it could not compare everything, if so."""
    began_s = comparer.clock_s()
    detection = comparer.inventory.begin_drift(stack_id)
    while True:
        ended, why = comparer.inventory.drift_ended(detection)
        if ended:
            return why
        if comparer.clock_s() - began_s > DETECTION_PATIENCE_S:
            raise OperationError(
                "E_AWS_DRIFT",
                f"CloudFormation compares {identity_of(stack).environment} for more than "
                f"{DETECTION_PATIENCE_S:.0f} s",
                hint="try again later",
            )
        comparer.pause(POLL_S)
