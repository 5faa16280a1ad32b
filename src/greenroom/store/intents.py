"""Named queries on intents: what an operation is about to make on the host, before it does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.store.tables import intents


def record_intents(
    connection: Connection,
    operation: str,
    environment: EnvironmentName,
    resources: Iterable[Resource],
    at: datetime,
) -> None:
    """Write down what will be made; commit before the first effect."""
    rows = [
        {
            "operation": operation,
            "kind": resource.kind,
            "name": resource.name,
            "environment": str(environment),
            "at": at,
        }
        for resource in resources
    ]
    if rows:
        connection.execute(insert(intents), rows)


def open_intents(connection: Connection, environment: EnvironmentName) -> tuple[Resource, ...]:
    """What the ledger says that the host holds of the environment (sorted)."""
    query = (
        select(intents.c.kind, intents.c.name)
        .where(intents.c.environment == str(environment))
        .where(intents.c.undone_at.is_(None))
        .distinct()
    )
    rows = connection.execute(query)
    return tuple(sorted(Resource(kind=ResourceKind(kind), name=name) for kind, name in rows))


def undo_intents(
    connection: Connection,
    environment: EnvironmentName,
    left_over: Iterable[Resource],
    at: datetime,
) -> None:
    """The environment was removed from the host, but for what is left over."""
    mine = (intents.c.environment == str(environment)) & intents.c.undone_at.is_(None)
    connection.execute(update(intents).where(mine).values(undone_at=at))
    kept = [{"kept_kind": item.kind, "kept_name": item.name} for item in left_over]
    if kept:
        connection.execute(
            update(intents)
            .where(intents.c.environment == str(environment))
            .where(intents.c.undone_at == at)
            .where(intents.c.kind == bindparam("kept_kind"))
            .where(intents.c.name == bindparam("kept_name"))
            .values(undone_at=None),
            kept,
        )
