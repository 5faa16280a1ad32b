"""Named queries on job definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from greenroom.model.jobs import Job
from greenroom.store.jobs_tables import jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One registered job. ``blueprint`` is the file that it came from; ``looked_at`` is up to when
    its schedules were looked at."""

    job: Job
    blueprint: str
    registered_by: str
    registered_at: datetime
    looked_at: datetime


def replace_jobs(
    connection: Connection,
    stack: str,
    found: Sequence[Job],
    *,
    blueprint: str,
    by: str,
    now: datetime,
) -> None:
    """Have the stack's jobs be these. A job whose schedules are the same keeps what was seen of
    them: a time that has come and waits for the next look is not lost."""
    known = [(record.job, record.looked_at) for record in list_jobs(connection, stack)]
    kept = {(job.name, job.schedules): looked_at for job, looked_at in known}
    connection.execute(delete(jobs).where(jobs.c.stack == stack))
    for job in found:
        values = {
            "stack": stack,
            "name": job.name,
            "definition_json": dump_job(job),
            "blueprint": blueprint,
            "registered_by": by,
            "registered_at": now,
            "looked_at": kept.get((job.name, job.schedules), now),
        }
        connection.execute(insert(jobs).values(values))


def list_jobs(connection: Connection, stack: str | None = None) -> tuple[JobRecord, ...]:
    """All registered jobs, or those of a stack, by name."""
    query = select(jobs).order_by(jobs.c.stack, jobs.c.name)
    if stack is not None:
        query = query.where(jobs.c.stack == stack)
    return tuple(_record(row) for row in connection.execute(query).mappings())


def set_looked_at(connection: Connection, job: Job, at: datetime) -> None:
    """All of the job's schedules were looked at up to then."""
    is_job = (jobs.c.stack == job.stack) & (jobs.c.name == job.name)
    connection.execute(update(jobs).where(is_job).values(looked_at=at))


def blueprint_of_jobs(connection: Connection, stack: str) -> str | None:
    """The file that the stack's jobs come from; None if it has none."""
    query = select(jobs.c.blueprint).where(jobs.c.stack == stack).limit(1)
    found = connection.scalar(query)
    return None if found is None else str(found)


def dump_job(job: Job) -> str:
    """A definition as JSON."""
    return _adapter().dump_json(job).decode()


@lru_cache(maxsize=512)
def load_job(text: str) -> Job:
    """A definition from JSON; remembered, as a history reads the same one again and again."""
    return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Job]:
    return TypeAdapter(Job)


def _record(row: RowMapping) -> JobRecord:
    return JobRecord(
        job=load_job(row["definition_json"]),
        blueprint=row["blueprint"],
        registered_by=row["registered_by"],
        registered_at=row["registered_at"],
        looked_at=row["looked_at"],
    )
