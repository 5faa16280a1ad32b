"""Which filter of the inventory is why nothing was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from greenroom.blueprint.nearest import unknown
from greenroom.cli.text import clean

if TYPE_CHECKING:
    from greenroom.cli.shapes import RecordReply


def why_unmatched(records: Sequence[RecordReply], wanted: Mapping[str, str | None]) -> str:
    """Why none of ``records``, which are all there are, is what was ``wanted``: the values that
    none of them has, with the nearest that one has, or else that no machine has all of them."""
    given = {name: value for name, value in wanted.items() if value is not None}
    strange = [
        unknown(name, value, _said(name, records))
        for name, value in given.items()
        if value not in _known(name, records)
    ]
    if strange:
        return clean("; ".join(strange))
    return clean("none has " + " and ".join(f"{name} {value!r}" for name, value in given.items()))


def _known(name: str, records: Sequence[RecordReply]) -> set[str]:
    """What the filter finds: a branch also by its slug."""
    known = _said(name, records)
    if name == "branch":
        known |= {record["slug"] for record in records}
    return known


def _said(name: str, records: Sequence[RecordReply]) -> set[str]:
    match name:
        case "role":
            return {record["role"] for record in records}
        case "branch":
            return {record["branch"] for record in records if record["branch"]}
        case _:
            return {record["stack"] for record in records}
