"""All machines as they stand, in memory: what the inventory answers from (pure).

Read from the ledger for each answer, the rows alone of a hundred thousand machines take nearly as
long as the whole list may (ADR 38).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from greenroom.model.inventory import MachineKey, MachineQuery, MachineRecord

_Place = tuple[str | None, str | None]
"""A stack, and a branch or its slug; None is any."""

_EVERYWHERE: _Place = (None, None)
_EVERY = MachineQuery()
_by_key = attrgetter("environment", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The records of one moment. It is never changed, so that whoever reads needs no lock and
    sees one moment only; another moment is another snapshot.

    ``by_place`` has the machines of each place by environment and name, as pages are.
    """

    records: Mapping[MachineKey, MachineRecord]
    by_place: Mapping[_Place, Sequence[MachineRecord]]

    def find(
        self, query: MachineQuery, *, after: MachineKey | None = None
    ) -> Iterator[MachineRecord]:
        """The machines that match, by environment and name, from behind ``after``."""
        among = self.by_place.get(_place_of(query), ())
        first = 0 if after is None else bisect_right(among, after, key=_by_key)
        behind = islice(among, first, None)
        return behind if query == _EVERY else filter(query.matches, behind)


def snapshot_of(records: Iterable[MachineRecord]) -> Snapshot:
    """The snapshot that holds these."""
    ordered = sorted(records, key=_by_key)
    by_place: dict[_Place, list[MachineRecord]] = {_EVERYWHERE: ordered}
    for record in ordered:
        by_place.setdefault((record.stack, None), []).append(record)
        for branch in {record.branch, record.slug}:
            by_place.setdefault((None, branch), []).append(record)
            by_place.setdefault((record.stack, branch), []).append(record)
    return Snapshot(records={record.key: record for record in ordered}, by_place=by_place)


def _place_of(query: MachineQuery) -> _Place:
    """The smallest place that holds all that match. An environment is its stack's on its slug;
    what else is asked for is looked at machine by machine."""
    if query.environment is None:
        return query.stack, query.branch
    stack, _, slug = query.environment.partition("/")
    return stack, slug
