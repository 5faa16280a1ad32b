"""What a blueprint says for AWS that contradicts the rest of it, or leads nowhere.

Like ``references``: from the bare tree, passing over what has the wrong shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from greenroom.blueprint.fields import BRANCH_TAG
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.tree import Path, Tree, list_length, mapping_names
from greenroom.errors import Fault

ROLE_TAG = "role"
"""Every machine type's group has it, also where the file does not write it."""


def aws_faults(tree: Tree) -> Iterator[Fault]:
    """Every fault of the keys that only AWS reads."""
    yield from _unknown_keys(
        tree, ("aws", "buckets"), "bucket", mapping_names(tree, "buckets"), where=""
    )
    for group in mapping_names(tree, "groups"):
        yield from _rules_of_existing(tree, group)
    for machine_type in mapping_names(tree, "machines"):
        yield from _machine_faults(tree, machine_type)


def _rules_of_existing(tree: Tree, group: str) -> Iterator[Fault]:
    """Greenroom changes no group that it did not make: such rules would hold locally only."""
    if tree.at(("groups", group, "existing")) is None:
        return
    if list_length(tree, ("groups", group, "ingress")):
        message = (
            f"the group {group!r} is there already on AWS, where its rules are its owner's; "
            "leave ingress or existing out"
        )
        yield tree.fault(("groups", group, "ingress"), message, key=True)


def _machine_faults(tree: Tree, machine_type: str) -> Iterator[Fault]:
    machine: Path = ("machines", machine_type)
    at: Path = (*machine, "aws")
    has_data = tree.at((*machine, "data")) is not None
    if has_data and tree.at((*at, "auto_scaling")) is True:
        message = (
            f"machines of type {machine_type!r} hold data and cannot stand in an Auto Scaling "
            "group, which would replace them without it; leave auto_scaling out"
        )
        yield tree.fault((*at, "auto_scaling"), message)
    yield from _useless_sizes(tree, at, machine_type, has_data=has_data)
    sources = mapping_names(tree, *machine, "data", "restore")
    where = f" of {machine_type!r}"
    yield from _unknown_keys(tree, (*at, "snapshots"), "restore source", sources, where=where)
    yield from _repeated_tags(tree, machine_type)


def _useless_sizes(tree: Tree, at: Path, machine_type: str, *, has_data: bool) -> Iterator[Fault]:
    if not has_data and tree.at((*at, "data_gib")) is not None:
        message = f"machines of type {machine_type!r} hold no data; leave data_gib out"
        yield tree.fault((*at, "data_gib"), message, key=True)
    rate = (*at, "initialization_mibps")
    if tree.at(rate) is not None and not mapping_names(tree, *at, "snapshots"):
        message = (
            "a volume is filled at a rate from a snapshot only; name snapshots, or leave it out"
        )
        yield tree.fault(rate, message, key=True)


def _repeated_tags(tree: Tree, machine_type: str) -> Iterator[Fault]:
    machine: Path = ("machines", machine_type)
    known = [BRANCH_TAG, ROLE_TAG, *mapping_names(tree, *machine, "tags")]
    for index in range(list_length(tree, (*machine, "groups"))):
        group = tree.at((*machine, "groups", index))
        if isinstance(group, str):
            known += mapping_names(tree, "groups", group, "tags")
    for index in range(list_length(tree, (*machine, "aws", "repeated_tags"))):
        at: Path = (*machine, "aws", "repeated_tags", index)
        tag = tree.at(at)
        if isinstance(tag, str) and tag not in known:
            where = f" that {machine_type!r} inherits"
            yield tree.fault(at, unknown("tag", tag, known, where=where))


def _unknown_keys(
    tree: Tree, at: Path, kind: str, known: Iterable[str], *, where: str
) -> Iterator[Fault]:
    for name in mapping_names(tree, *at):
        if name not in known:
            yield tree.fault((*at, name), unknown(kind, name, known, where=where), key=True)
