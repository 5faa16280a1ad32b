"""Named queries on timings. They outlive the environments that they tell of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select

from greenroom.model.proof import Verdict
from greenroom.model.timings import TimedKind, Timing
from greenroom.store import codec
from greenroom.store.tables import timings

KEPT_PER_STACK = 2000


def record_timings(connection: Connection, rows: Sequence[Timing]) -> None:
    """Keep them, and forget the oldest of each stack that has too many."""
    if not rows:
        return
    connection.execute(insert(timings), [_values(row) for row in rows])
    for stack in {row.stack for row in rows}:
        mine = timings.c.stack == stack
        oldest = select(timings.c.id).where(mine).order_by(timings.c.id.desc())
        last = connection.scalar(oldest.offset(KEPT_PER_STACK).limit(1))
        if last is not None:
            connection.execute(delete(timings).where(mine, timings.c.id <= last))


def newest_timings(connection: Connection, stack: str | None, limit: int) -> tuple[Timing, ...]:
    """Of a stack, or of all; the newest first."""
    return _found(connection, [] if stack is None else [timings.c.stack == stack], limit)


def timings_of(connection: Connection, operation: str) -> tuple[Timing, ...]:
    """What one operation took, in the order in which it was kept."""
    found = _found(connection, [timings.c.operation == operation], KEPT_PER_STACK)
    return tuple(reversed(found))


def _found(
    connection: Connection, where: list[ColumnElement[bool]], limit: int
) -> tuple[Timing, ...]:
    # By what was kept last, not by the clock, which may have been set back.
    query = select(timings).where(*where).order_by(timings.c.id.desc()).limit(limit)
    return tuple(_timing(row) for row in connection.execute(query).mappings())


def _values(row: Timing) -> dict[str, object]:
    return {
        "at": row.at,
        "operation": row.operation,
        "environment": row.environment,
        "stack": row.stack,
        "kind": row.kind,
        "machine": row.machine,
        "restore_s": row.restore_s,
        "boot_s": row.boot_s,
        "total_s": row.total_s,
        "verdict": row.verdict,
        "seen_json": None if row.seen is None else codec.dump_seen(row.seen),
    }


def _timing(row: RowMapping) -> Timing:
    seen = row["seen_json"]
    return Timing(
        at=row["at"],
        operation=row["operation"],
        environment=row["environment"],
        stack=row["stack"],
        kind=TimedKind(row["kind"]),
        machine=row["machine"],
        restore_s=row["restore_s"],
        boot_s=row["boot_s"],
        total_s=row["total_s"],
        verdict=Verdict(row["verdict"]),
        seen=None if seen is None else codec.load_seen(seen),
    )
