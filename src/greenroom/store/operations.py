"""Named queries on operations: what was asked for, where it stands, how it ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import (
    Connection,
    RowMapping,
    false,
    func,
    insert,
    or_,
    select,
    update,
)

from greenroom.model.access import ITSELF
from greenroom.model.audit import AuditEntry, Outcome, shown
from greenroom.model.events import OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import Receipt
from greenroom.model.requests import Request
from greenroom.store import codec
from greenroom.store.audit import insert_audit
from greenroom.store.tables import operations

_LOOK_BACK = 50
"""How many ended creates are searched for one that somebody asks about."""
_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRecord:
    """One row: the request is kept whole, so that a restart can go on with it. ``asked_by`` is
    the name of the caller, ``asked_from`` their origin."""

    id: str
    kind: str
    environment: EnvironmentName
    request: Request
    status: OperationStatus
    created_at: datetime
    ended_at: datetime | None = None
    cancel_requested: bool = False
    receipt: Receipt | None = None
    asked_by: str = ITSELF.name
    asked_from: str = ITSELF.origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an operation ended; ``code``, ``message`` and ``hint`` are those of its error."""

    status: OperationStatus
    exit_code: int
    code: str | None = None
    message: str = ""
    hint: str | None = None
    receipt: Receipt | None = None


def insert_operation(connection: Connection, record: OperationRecord) -> None:
    """Accept an operation; the database refuses a second unfinished one on the environment. The
    audit log tells it, as it tells the end."""
    values = {
        "id": record.id,
        "kind": record.kind,
        "environment": str(record.environment),
        "request_json": codec.dump_request(record.request),
        "status": record.status,
        "created_at": record.created_at,
        "cancel_requested": record.cancel_requested,
        "asked_by": record.asked_by,
        "asked_from": record.asked_from,
        # Writers take turns, so no two get the same number.
        "accepted": select(func.coalesce(func.max(operations.c.accepted), 0) + 1).scalar_subquery(),
    }
    connection.execute(insert(operations).values(values))
    asked = {each.name: getattr(record.request, each.name) for each in fields(record.request)}
    asked.pop("environment", None)
    insert_audit(
        connection,
        AuditEntry(
            caller=record.asked_by,
            origin=record.asked_from,
            action=record.kind,
            outcome=Outcome.ACCEPTED,
            stack=record.environment.stack,
            subject=str(record.environment),
            parameters=shown(asked),
            reference=record.id,
        ),
        record.created_at,
    )


def find_operation(connection: Connection, operation: str) -> OperationRecord | None:
    """The operation of that id."""
    query = select(operations).where(operations.c.id == operation)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def last_failure(connection: Connection, text: str) -> tuple[str, str, str] | None:
    """How the newest create of an environment called ``text`` (full name, slug or raw branch)
    failed: its full name, code and message; None if it did not."""
    row = _last_create(connection, text)
    if row is None or row["error_code"] is None:
        return None
    return row["environment"], row["error_code"], row["error_message"] or ""


def last_end(connection: Connection, text: str) -> OperationRecord | None:
    """The destroy that ended the last environment called ``text``; None if there was none."""
    row = _last_create(connection, text)
    if row is None:
        return None
    last = last_operation(connection, EnvironmentName.parse(row["environment"]))
    return last if last is not None and last.kind == "destroy" else None


def _last_create(connection: Connection, text: str) -> RowMapping | None:
    query = (
        select(operations)
        .where(operations.c.kind == "create", operations.c.ended_at.is_not(None))
        .order_by(operations.c.accepted.desc())
        .limit(_LOOK_BACK)
    )
    for row in connection.execute(query).mappings():
        record = _record(row)
        branch = getattr(record.request, "branch", None)
        if text in (str(record.environment), record.environment.slug, branch):
            return row
    return None


def operations_on(
    connection: Connection, environment: EnvironmentName, limit: int
) -> tuple[tuple[OperationRecord, str | None], ...]:
    """The newest operations on environments of that name, newest first, each with what its error
    said if it failed."""
    query = (
        select(operations)
        .where(operations.c.environment == str(environment))
        .order_by(operations.c.accepted.desc())
        .limit(limit)
    )
    rows = connection.execute(query).mappings()
    return tuple((_record(row), row["error_message"]) for row in rows)


def newest_creates(connection: Connection, limit: int) -> tuple[OperationRecord, ...]:
    """What was created last, newest first."""
    query = (
        select(operations)
        .where(operations.c.kind == "create")
        .order_by(operations.c.accepted.desc())
        .limit(limit)
    )
    return tuple(_record(row) for row in connection.execute(query).mappings())


def operations_before(
    connection: Connection,
    stacks: Collection[str] | None,
    environment: str | None,
    before: int | None,
    limit: int,
) -> tuple[tuple[int, OperationRecord], ...]:
    """The newest operations, the newest first, with their ``accepted``, which is less than
    ``before``. ``stacks`` None means all."""
    query = select(operations).order_by(operations.c.accepted.desc()).limit(limit)
    if stacks is not None:
        of_stack = [operations.c.environment.startswith(f"{each}/") for each in sorted(stacks)]
        query = query.where(or_(false(), *of_stack))
    if environment is not None:
        query = query.where(operations.c.environment == environment)
    if before is not None:
        query = query.where(operations.c.accepted < before)
    rows = connection.execute(query).mappings()
    return tuple((row["accepted"], _record(row)) for row in rows)


def unfinished_operations(connection: Connection) -> tuple[OperationRecord, ...]:
    """What a restart has to go on with, oldest first."""
    query = (
        select(operations)
        .where(operations.c.status.in_(_UNFINISHED))
        .order_by(operations.c.accepted)
    )
    return tuple(_record(row) for row in connection.execute(query).mappings())


def unfinished_on(connection: Connection, environment: EnvironmentName) -> OperationRecord | None:
    """The operation that holds the environment, if one does."""
    query = (
        select(operations)
        .where(operations.c.environment == str(environment))
        .where(operations.c.status.in_(_UNFINISHED))
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def last_operation(connection: Connection, environment: EnvironmentName) -> OperationRecord | None:
    """The newest operation on the environment, or on a namesake before it."""
    query = (
        select(operations)
        .where(operations.c.environment == str(environment))
        .order_by(operations.c.accepted.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def set_running(connection: Connection, operation: str) -> None:
    """The engine has begun it."""
    connection.execute(
        update(operations)
        .where(operations.c.id == operation)
        .where(operations.c.status == OperationStatus.QUEUED)
        .values(status=OperationStatus.RUNNING)
    )


def request_cancel(connection: Connection, operation: str) -> None:
    """Remember the wish, so that it survives a restart."""
    connection.execute(
        update(operations).where(operations.c.id == operation).values(cancel_requested=True)
    )


def finish_operation(
    connection: Connection, operation: str, ending: Ending, ended_at: datetime
) -> None:
    """The operation has ended; its environment is free for the next."""
    receipt = None if ending.receipt is None else codec.dump_receipt(ending.receipt)
    values = {
        "status": ending.status,
        "ended_at": ended_at,
        "error_code": ending.code,
        "error_message": ending.message if ending.code else None,
        "error_hint": ending.hint,
        "exit_code": ending.exit_code,
        "receipt_json": receipt,
    }
    connection.execute(update(operations).where(operations.c.id == operation).values(values))
    _tell_end(connection, operation, ending, ended_at)


def _tell_end(connection: Connection, operation: str, ending: Ending, ended_at: datetime) -> None:
    query = select(
        operations.c.kind,
        operations.c.environment,
        operations.c.asked_by,
        operations.c.asked_from,
    ).where(operations.c.id == operation)
    row = connection.execute(query).one_or_none()
    if row is None:
        return
    entry = AuditEntry(
        caller=row.asked_by,
        origin=row.asked_from,
        action=row.kind,
        outcome=Outcome(ending.status.value),
        stack=row.environment.partition("/")[0],
        subject=row.environment,
        code=ending.code,
        message=ending.message if ending.code else "",
        reference=operation,
    )
    insert_audit(connection, entry, ended_at)


def _record(row: RowMapping) -> OperationRecord:
    receipt = row["receipt_json"]
    return OperationRecord(
        id=row["id"],
        kind=row["kind"],
        environment=EnvironmentName.parse(row["environment"]),
        request=codec.load_request(row["kind"], row["request_json"]),
        status=OperationStatus(row["status"]),
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        cancel_requested=row["cancel_requested"],
        receipt=None if receipt is None else codec.load_receipt(receipt),
        asked_by=row["asked_by"],
        asked_from=row["asked_from"],
    )
