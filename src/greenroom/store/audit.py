"""Named queries on the audit log, which only grows: there is none that changes or deletes."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, Select, insert, select

from greenroom.model.audit import AuditEntry, AuditFilter, AuditView, Outcome
from greenroom.store.access_tables import audit

_PARAMETERS = TypeAdapter(tuple[tuple[str, str], ...])
_MESSAGE_MAX = 2000
_SUBJECT_MAX = 128


def insert_audit(connection: Connection, entry: AuditEntry, at: datetime) -> None:
    """Keep an entry; commit it together with what it tells of."""
    values = {
        "at": at,
        "caller": _kept(entry.caller, 128),
        "origin": _kept(entry.origin, 64),
        "action": entry.action,
        "outcome": entry.outcome,
        "stack": _kept(entry.stack, 24),
        "subject": _kept(entry.subject, _SUBJECT_MAX),
        "parameters_json": json.dumps(entry.parameters),
        "code": entry.code,
        "message": _kept(entry.message, _MESSAGE_MAX),
        "reference": entry.reference,
    }
    connection.execute(insert(audit).values(values))


def origin_of(connection: Connection, reference: str) -> str:
    """Where the operation or execution of that id was asked from; empty if nothing tells of it."""
    query = select(audit.c.origin).where(audit.c.reference == reference)
    return connection.scalar(query.order_by(audit.c.seq).limit(1)) or ""


def _kept(text: str, length_max: int) -> str:
    """What was typed wrong may be as long as somebody likes, and no text of a database at all."""
    return text[:length_max].encode("utf-8", "replace").decode().replace("\0", "?")


def audit_before(
    connection: Connection,
    wanted: AuditFilter,
    *,
    stacks: Collection[str] | None,
    before: int | None,
    limit: int,
) -> tuple[AuditView, ...]:
    """The newest ``limit`` entries whose ``seq`` is less than ``before``, the newest first;
    ``stacks`` None means all."""
    query = _filtered(wanted, stacks)
    if before is not None:
        query = query.where(audit.c.seq < before)
    rows = connection.execute(query.order_by(audit.c.seq.desc()).limit(limit)).mappings()
    return tuple(_view(row) for row in rows)


def audit_after(
    connection: Connection,
    wanted: AuditFilter,
    *,
    stacks: Collection[str] | None,
    after: int,
    limit: int,
) -> tuple[AuditView, ...]:
    """The first ``limit`` entries whose ``seq`` is greater than ``after``, the oldest first."""
    query = _filtered(wanted, stacks).where(audit.c.seq > after)
    rows = connection.execute(query.order_by(audit.c.seq).limit(limit)).mappings()
    return tuple(_view(row) for row in rows)


def _filtered(wanted: AuditFilter, stacks: Collection[str] | None) -> Select[tuple[object, ...]]:
    query = select(audit)
    for column, value in (
        (audit.c.caller, wanted.by),
        (audit.c.action, wanted.action),
        (audit.c.outcome, wanted.outcome),
        (audit.c.reference, wanted.reference),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.on is not None:
        query = query.where((audit.c.subject == wanted.on) | (audit.c.stack == wanted.on))
    if wanted.since is not None:
        query = query.where(audit.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(audit.c.at < wanted.until)
    return query if stacks is None else query.where(audit.c.stack.in_(stacks))


def _view(row: RowMapping) -> AuditView:
    entry = AuditEntry(
        caller=row["caller"],
        origin=row["origin"],
        action=row["action"],
        outcome=Outcome(row["outcome"]),
        stack=row["stack"],
        subject=row["subject"],
        parameters=_PARAMETERS.validate_json(row["parameters_json"]),
        code=row["code"],
        message=row["message"],
        reference=row["reference"],
    )
    return AuditView(seq=row["seq"], at=row["at"], entry=entry)
