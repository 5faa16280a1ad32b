"""How machines are called outside greenroom, and which one a name means (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from greenroom.errors import InputError
from greenroom.model.inventory import MachineQuery, MachineRecord


def full_name(record: MachineRecord) -> str:
    """``backend1.feature-x.photos``: no other machine of the region has it."""
    return f"{record.name}.{record.slug}.{record.stack}"


def short_name(record: MachineRecord) -> str:
    """``backend1.feature-x``: another stack may have one too."""
    return f"{record.name}.{record.slug}"


def aliases(records: Sequence[MachineRecord]) -> tuple[tuple[str, ...], ...]:
    """For each record the names that mean it alone: the short one only where it does."""
    taken = Counter(short_name(record) for record in records)
    return tuple(
        tuple(
            dict.fromkeys(
                (
                    *((short_name(record),) if taken[short_name(record)] == 1 else ()),
                    full_name(record),
                    record.private_dns,
                )
            )
        )
        for record in records
    )


def query_of(text: str) -> MachineQuery:
    """Which machines may be meant by a name; ``chosen`` says which one is."""
    if "/" in text:
        environment, _, name = text.rpartition("/")
        return MachineQuery(environment=environment, name=name)
    name, _, rest = text.partition(".")
    slug = rest.partition(".")[0]
    return MachineQuery(name=name, branch=slug or None)


def chosen(text: str, records: Sequence[MachineRecord]) -> MachineRecord:
    """The one that is meant; raises InputError E_NO_MACHINE or E_AMBIGUOUS."""
    meant = [record for record in records if text in _names(record)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        names = ", ".join(full_name(record) for record in meant)
        raise InputError(
            "E_AMBIGUOUS", f"{text!r} may be any of {names}", hint="give one of these names"
        )
    raise InputError(
        "E_NO_MACHINE",
        f"there is no machine {text!r}",
        hint="greenroom inventory lists them; a name is MACHINE.BRANCH or MACHINE.BRANCH.STACK",
    )


def _names(record: MachineRecord) -> tuple[str, ...]:
    return (
        f"{record.environment}/{record.name}",
        full_name(record),
        short_name(record),
        record.private_dns,
    )
