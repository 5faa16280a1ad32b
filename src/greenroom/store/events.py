"""Named queries on the events of operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, RowMapping, func, insert, select

from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.store.tables import events

_FIELDS = tuple(field.name for field in fields(Event))


def insert_events(connection: Connection, batch: Sequence[Event]) -> None:
    """Keep a batch of events."""
    rows = [{name: getattr(event, name) for name in _FIELDS} for event in batch]
    if rows:
        connection.execute(insert(events), rows)


def events_after(connection: Connection, operation: str, seq: int) -> tuple[Event, ...]:
    """The operation's events whose ``seq`` is greater, in order."""
    query = (
        select(events)
        .where(events.c.operation == operation)
        .where(events.c.seq > seq)
        .order_by(events.c.seq)
    )
    return tuple(_event(row) for row in connection.execute(query).mappings())


def last_seq(connection: Connection, operation: str) -> int:
    """The greatest ``seq`` of the operation; 0 when it has no event."""
    greatest = select(func.max(events.c.seq)).where(events.c.operation == operation)
    return connection.scalar(greatest) or 0


def phases_done(connection: Connection, operation: str) -> tuple[Event, ...]:
    """The operation's phases that ended well, in order, without those within a machine."""
    query = (
        select(events)
        .where(events.c.operation == operation)
        .where(events.c.kind == EventKind.PHASE_DONE)
        .where(events.c.machine.is_(None))
        .order_by(events.c.seq)
    )
    return tuple(_event(row) for row in connection.execute(query).mappings())


def _event(row: RowMapping) -> Event:
    values = dict(row)
    values["kind"] = EventKind(values["kind"])
    status = values["status"]
    values["status"] = None if status is None else OperationStatus(status)
    return Event(**values)
