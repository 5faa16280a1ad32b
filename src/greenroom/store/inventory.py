"""Named queries on the inventory: machines as they stand, and the changes that led there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    tuple_,
    union,
    update,
)

from greenroom.model.inventory import MachineChange, MachineKey, MachineQuery, MachineRecord
from greenroom.store.inventory_tables import machine_changes, machine_history, machines

CHANGES_KEPT = timedelta(days=30)
CHANGES_MAX = 500_000
"""Whichever comes first; the oldest are forgotten."""


def list_machines(
    connection: Connection, *, after: MachineKey | None = None, last: MachineKey | None = None
) -> tuple[MachineRecord, ...]:
    """The machines by environment and name, from behind ``after`` to ``last``."""
    c = machines.c
    wanted = select(c.record_json).where(*_between(c.environment, c.name, after, last))
    rows = connection.scalars(wanted.order_by(c.environment, c.name))
    return tuple(_records().validate_json(text) for text in rows)


def find_machine(connection: Connection, key: MachineKey) -> MachineRecord | None:
    """The machine's record; None if there is no such machine."""
    c = machines.c
    mine = tuple_(c.environment, c.name) == tuple_(*key)
    text = connection.scalar(select(c.record_json).where(mine))
    return None if text is None else _records().validate_json(text)


def write_changes(
    connection: Connection,
    changes: Sequence[MachineChange],
    records: Iterable[MachineRecord],
    gone: Iterable[MachineKey],
) -> None:
    """Keep the changes and what the machines are after them: ``records`` and, of those that are
    ``gone``, nothing."""
    mine = tuple_(machines.c.environment, machines.c.name)
    records = tuple(records)
    away = [*gone, *(record.key for record in records)]
    for part in _chunks(away, 200):
        connection.execute(delete(machines).where(mine.in_(part)))
    if records:
        connection.execute(insert(machines), [_row(record) for record in records])
    if changes:
        values = [
            {
                "at": change.at,
                "environment": change.environment,
                "machine": change.machine,
                "change_json": _changes().dump_json(change).decode(),
            }
            for change in changes
        ]
        connection.execute(insert(machine_changes), values)


def forget_changes(connection: Connection, now: datetime) -> None:
    """Forget what is too old, or too much, to be kept; and remember since when all is kept."""
    c = machine_changes.c
    newest = connection.scalar(select(func.max(c.id))) or 0
    crowded = connection.scalar(select(func.max(c.at)).where(c.id <= newest - CHANGES_MAX))
    until = max(at for at in (crowded, now - CHANGES_KEPT) if at is not None)
    last = connection.scalar(select(func.max(c.at)).where(c.at <= until))
    if last is None:
        return
    connection.execute(delete(machine_changes).where(c.at <= until))
    if connection.execute(update(machine_history).values(kept_since=last)).rowcount == 0:
        connection.execute(insert(machine_history), {"id": 1, "kept_since": last})


def history_begins(connection: Connection) -> datetime | None:
    """The instant since which all changes are kept; None if none was ever forgotten."""
    return connection.scalar(select(machine_history.c.kept_since))


def changes_since(
    connection: Connection,
    since: datetime,
    query: MachineQuery,
    *,
    after: MachineKey | None = None,
    last: MachineKey | None = None,
    limit: int | None = None,
) -> tuple[MachineChange, ...]:
    """The changes later than ``since`` of the environment, stack or stacks that are asked for, and
    of machines from behind ``after`` to ``last``; the newest first."""
    c = machine_changes.c
    rows = connection.scalars(
        select(c.change_json)
        .where(c.at > since, *_of_environments(c.environment, query))
        .where(*_between(c.environment, c.machine, after, last))
        # They were written in the order of their time; so the index on it is read from its end.
        .order_by(c.at.desc(), c.id.desc())
        .limit(limit)
    )
    return tuple(_changes().validate_json(text) for text in rows)


def keys_since(
    connection: Connection,
    since: datetime,
    query: MachineQuery,
    *,
    after: MachineKey | None = None,
    limit: int | None = None,
) -> tuple[MachineKey, ...]:
    """Who is there or has been there since then, of the environment, stack or stacks that are
    asked for; by environment and name, from behind ``after``."""
    now, then = machines.c, machine_changes.c
    found = union(
        select(now.environment, now.name).where(
            *_of_environments(now.environment, query),
            *_between(now.environment, now.name, after, None),
        ),
        select(then.environment, then.machine).where(
            then.at > since,
            *_of_environments(then.environment, query),
            *_between(then.environment, then.machine, after, None),
        ),
    ).subquery()
    wanted = select(found).order_by(found.c.environment, found.c.name).limit(limit)
    return tuple((row.environment, row.name) for row in connection.execute(wanted))


def last_change_at(connection: Connection) -> datetime | None:
    """When the newest change happened."""
    at: datetime | None = connection.scalar(select(func.max(machine_changes.c.at)))
    return at


def _between(
    environment: ColumnElement[str],
    name: ColumnElement[str],
    after: MachineKey | None,
    last: MachineKey | None,
) -> list[ColumnElement[bool]]:
    key = tuple_(environment, name)
    bounds = [] if after is None else [key > tuple_(*after)]
    return bounds if last is None else [*bounds, key <= tuple_(*last)]


def _of_environments(
    environment: ColumnElement[str], query: MachineQuery
) -> list[ColumnElement[bool]]:
    """What can be asked of a machine that has gone, too: whose it is."""
    conditions = []
    if query.environment is not None:
        conditions.append(environment == query.environment)
    if query.stack is not None:
        conditions.append(environment.startswith(f"{query.stack}/", autoescape=True))
    if query.stacks is not None:
        of_stacks = [environment.startswith(f"{each}/") for each in sorted(query.stacks)]
        conditions.append(or_(false(), *of_stacks))
    return conditions


def _row(record: MachineRecord) -> dict[str, object]:
    return {
        "environment": record.environment,
        "name": record.name,
        "record_json": _records().dump_json(record).decode(),
    }


def _chunks(keys: Sequence[MachineKey], size: int) -> Iterable[Sequence[MachineKey]]:
    # SQLite bounds the number of parameters of a statement.
    return (keys[start : start + size] for start in range(0, len(keys), size))


@cache
def _records() -> TypeAdapter[MachineRecord]:
    return TypeAdapter(MachineRecord)


@cache
def _changes() -> TypeAdapter[MachineChange]:
    return TypeAdapter(MachineChange)
