"""Named queries on executions: what was asked for, where it stands, how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from greenroom.model.access import EVERY_STACK, Action
from greenroom.model.audit import AuditEntry, Outcome, shown
from greenroom.model.jobs import ExecutionStatus, Job, Trigger
from greenroom.model.names import EnvironmentName
from greenroom.store.audit import insert_audit, origin_of
from greenroom.store.jobs import dump_job, load_job
from greenroom.store.jobs_tables import executions

_UNFINISHED = tuple(status for status in ExecutionStatus if not status.final)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """One row. ``stack`` is the one whose rights count: of a built-in job that of its environment,
    ``EVERY_STACK`` until that is known. ``options`` never holds a secret: ``MASK`` stands in its
    place."""

    id: str
    job: Job
    stack: str
    environment: str | None
    options: Mapping[str, str]
    status: ExecutionStatus
    trigger: Trigger
    asked_by: str
    created_at: datetime
    not_before: datetime
    decided_by: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    code: str | None = None
    message: str = ""
    hint: str | None = None
    attempt: int = 1
    retry_of: str | None = None
    retried_by: str | None = None
    operation: str | None = None
    log_lines: int = 0
    log_truncated: bool = False
    accepted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionEnd:
    """How an execution ended; ``code``, ``message`` and ``hint`` are those of its error."""

    status: ExecutionStatus
    exit_code: int | None = None
    code: str | None = None
    message: str = ""
    hint: str | None = None
    log_lines: int = 0
    log_truncated: bool = False


_OUTCOMES = {
    ExecutionStatus.SUCCEEDED: Outcome.SUCCEEDED,
    ExecutionStatus.ABORTED: Outcome.CANCELLED,
    ExecutionStatus.REJECTED: Outcome.CANCELLED,
}
"""How the audit log calls an end; any other one is a failure."""


def insert_execution(connection: Connection, record: ExecutionRecord, origin: str) -> None:
    """Accept an execution; ``origin`` is where it was asked from. The audit log tells it, as it
    tells the end."""
    # Writers take turns, so no two get the same number.
    accepted = select(func.coalesce(func.max(executions.c.accepted), 0) + 1).scalar_subquery()
    values = {
        "id": record.id,
        "accepted": accepted,
        "stack": record.stack,
        "job": record.job.full_name,
        "definition_json": dump_job(record.job),
        "environment": record.environment,
        "options_json": json.dumps(dict(record.options)),
        "status": record.status,
        "trigger_kind": record.trigger,
        "asked_by": record.asked_by,
        "created_at": record.created_at,
        "not_before": record.not_before,
        "attempt": record.attempt,
        "retry_of": record.retry_of,
        "log_lines": 0,
        "log_truncated": False,
    }
    connection.execute(insert(executions).values(values))
    if record.retry_of is not None:
        former = executions.c.id == record.retry_of
        connection.execute(update(executions).where(former).values(retried_by=record.id))
    asked = {**record.options, "retry_of": record.retry_of}
    accepted_entry = _entry(record, origin, Outcome.ACCEPTED)
    insert_audit(connection, replace(accepted_entry, parameters=shown(asked)), record.created_at)


def find_execution(connection: Connection, execution: str) -> ExecutionRecord | None:
    """The execution of that id."""
    query = select(executions).where(executions.c.id == execution)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def list_executions(
    connection: Connection,
    *,
    limit: int,
    job: str | None = None,
    environment: str | None = None,
    stacks: Sequence[str] | None = None,
    before: str | None = None,
) -> tuple[ExecutionRecord, ...]:
    """The newest executions first; ``before`` is the id of one whose predecessors are meant, and
    ``stacks`` are those that may be seen (None: all)."""
    query = select(executions).order_by(executions.c.accepted.desc()).limit(limit)
    if job is not None:
        query = query.where(executions.c.job == job)
    if environment is not None:
        query = query.where(executions.c.environment == environment)
    if stacks is not None:
        query = query.where(executions.c.stack.in_(stacks))
    if before is not None:
        number = select(executions.c.accepted).where(executions.c.id == before).scalar_subquery()
        query = query.where(executions.c.accepted < number)
    return tuple(_record(row) for row in connection.execute(query).mappings())


def last_executions(connection: Connection) -> dict[str, ExecutionRecord]:
    """The newest execution of each job, by the job's full name."""
    newest = select(func.max(executions.c.accepted)).group_by(executions.c.job)
    query = select(executions).where(executions.c.accepted.in_(newest))
    records = [_record(row) for row in connection.execute(query).mappings()]
    return {record.job.full_name: record for record in records}


def unfinished_executions(connection: Connection) -> tuple[ExecutionRecord, ...]:
    """What waits or runs, in the order in which it came."""
    return _in_states(connection, *_UNFINISHED)


def running_executions(connection: Connection) -> tuple[ExecutionRecord, ...]:
    """What runs, in the order in which it came."""
    return _in_states(connection, ExecutionStatus.RUNNING)


def _in_states(connection: Connection, *states: ExecutionStatus) -> tuple[ExecutionRecord, ...]:
    query = (
        select(executions).where(executions.c.status.in_(states)).order_by(executions.c.accepted)
    )
    return tuple(_record(row) for row in connection.execute(query).mappings())


def set_started(connection: Connection, execution: str, at: datetime) -> None:
    """It runs."""
    _update(connection, execution, status=ExecutionStatus.RUNNING, started_at=at)


def set_operation(
    connection: Connection, execution: str, operation: str, environment: EnvironmentName
) -> None:
    """The operation that a built-in job has begun, and whose it is."""
    values = {"operation": operation, "environment": str(environment), "stack": environment.stack}
    _update(connection, execution, **values)


def set_approved(connection: Connection, execution: str, by: str) -> None:
    """Somebody agreed: it may start."""
    _update(connection, execution, status=ExecutionStatus.QUEUED, decided_by=by)


def set_decided_by(connection: Connection, execution: str, by: str) -> None:
    """Who said no."""
    _update(connection, execution, decided_by=by)


def end_execution(
    connection: Connection, execution: str, end: ExecutionEnd, ended_at: datetime
) -> None:
    """The execution has ended."""
    _update(
        connection,
        execution,
        status=end.status,
        ended_at=ended_at,
        exit_code=end.exit_code,
        error_code=end.code,
        error_message=end.message if end.code else None,
        error_hint=end.hint,
        log_lines=end.log_lines,
        log_truncated=end.log_truncated,
    )
    _tell_end(connection, execution, end, ended_at)


def _tell_end(
    connection: Connection, execution: str, end: ExecutionEnd, ended_at: datetime
) -> None:
    record = find_execution(connection, execution)
    if record is None:
        return
    entry = _entry(record, origin_of(connection, execution), _OUTCOMES.get(end.status))
    message = end.message if end.code else ""
    insert_audit(connection, replace(entry, code=end.code, message=message), ended_at)


def _entry(record: ExecutionRecord, origin: str, outcome: Outcome | None) -> AuditEntry:
    return AuditEntry(
        caller=record.asked_by,
        origin=origin,
        action=Action.RUN_JOB,
        outcome=outcome or Outcome.FAILED,
        stack="" if record.stack == EVERY_STACK else record.stack,
        subject=record.job.full_name,
        reference=record.id,
    )


def _update(connection: Connection, execution: str, **values: object) -> None:
    connection.execute(update(executions).where(executions.c.id == execution).values(values))


def _record(row: RowMapping) -> ExecutionRecord:
    return ExecutionRecord(
        id=row["id"],
        job=load_job(row["definition_json"]),
        stack=row["stack"],
        environment=row["environment"],
        options=json.loads(row["options_json"]),
        status=ExecutionStatus(row["status"]),
        trigger=Trigger(row["trigger_kind"]),
        asked_by=row["asked_by"],
        decided_by=row["decided_by"],
        created_at=row["created_at"],
        not_before=row["not_before"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        exit_code=row["exit_code"],
        code=row["error_code"],
        message=row["error_message"] or "",
        hint=row["error_hint"],
        attempt=row["attempt"],
        retry_of=row["retry_of"],
        retried_by=row["retried_by"],
        operation=row["operation"],
        log_lines=row["log_lines"],
        log_truncated=row["log_truncated"],
        accepted=row["accepted"],
    )
