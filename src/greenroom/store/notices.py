"""Named queries on what machines are to be told of their peers: a queue for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from greenroom.model.inventory import MachineKey, PeerNotice
from greenroom.store.inventory_tables import peer_notices

QUEUE_MAX = 64
"""In a longer queue only the last word about each peer is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A notice in its queue; it was tried so many times."""

    id: int
    notice: PeerNotice
    tries: int


def queue_notices(connection: Connection, notices: Sequence[PeerNotice]) -> None:
    """Put them behind what is queued already."""
    if not notices:
        return
    values = [
        {
            "environment": notice.to[0],
            "machine": notice.to[1],
            "peer_environment": notice.peer.environment,
            "peer": notice.peer.name,
            "notice_json": _notices().dump_json(notice).decode(),
            "tries": 0,
        }
        for notice in notices
    ]
    connection.execute(insert(peer_notices), values)
    for machine in {notice.to for notice in notices}:
        _shorten(connection, machine)


def waiting_machines(connection: Connection) -> tuple[MachineKey, ...]:
    """Who has notices in its queue."""
    c = peer_notices.c
    rows = connection.execute(select(c.environment, c.machine).distinct())
    return tuple((row.environment, row.machine) for row in rows)


def next_notice(connection: Connection, machine: MachineKey) -> Queued | None:
    """The first in the machine's queue."""
    query = select(peer_notices).where(*_is_for(machine)).order_by(peer_notices.c.id).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    notice = _notices().validate_json(row["notice_json"])
    return Queued(id=row["id"], notice=notice, tries=row["tries"])


def drop_notice(connection: Connection, notice: Queued) -> None:
    """It was delivered, or given up."""
    connection.execute(delete(peer_notices).where(peer_notices.c.id == notice.id))


def count_try(connection: Connection, notice: Queued) -> None:
    """It could not be delivered."""
    values = {"tries": notice.tries + 1}
    connection.execute(update(peer_notices).where(peer_notices.c.id == notice.id).values(values))


def drop_queues(connection: Connection, machines: Iterable[MachineKey]) -> None:
    """Who is gone is told nothing any more."""
    for machine in machines:
        connection.execute(delete(peer_notices).where(*_is_for(machine)))


def _shorten(connection: Connection, machine: MachineKey) -> None:
    c = peer_notices.c
    mine = _is_for(machine)
    if (connection.scalar(select(func.count()).where(*mine)) or 0) <= QUEUE_MAX:
        return
    last = select(func.max(c.id)).where(*mine).group_by(c.peer_environment, c.peer)
    connection.execute(delete(peer_notices).where(*mine, c.id.not_in(last)))


def _is_for(machine: MachineKey) -> tuple[ColumnElement[bool], ...]:
    return (peer_notices.c.environment == machine[0], peer_notices.c.machine == machine[1])


@cache
def _notices() -> TypeAdapter[PeerNotice]:
    return TypeAdapter(PeerNotice)
