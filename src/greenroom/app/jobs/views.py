"""Jobs and executions as clients see them."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from pydantic import TypeAdapter

from greenroom.app.jobs.admission import require_who
from greenroom.app.rights import require, require_somewhere
from greenroom.errors import RefusedError
from greenroom.model.access import Action, Caller
from greenroom.model.jobs import ExecutionView, Job, JobView, ScheduleView
from greenroom.plan.schedules import next_time
from greenroom.store.executions import ExecutionRecord


def view_execution(record: ExecutionRecord) -> ExecutionView:
    """An execution; its options were masked before they were stored."""
    duration_s = None
    if record.started_at is not None and record.ended_at is not None:
        # The clock may have been set back in between.
        duration_s = max(0.0, (record.ended_at - record.started_at).total_seconds())
    return ExecutionView(
        id=record.id,
        job=record.job.full_name,
        stack=record.stack,
        environment=record.environment,
        options=tuple(record.options.items()),
        status=record.status,
        trigger=record.trigger,
        asked_by=record.asked_by,
        decided_by=record.decided_by,
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        duration_s=duration_s,
        exit_code=record.exit_code,
        code=record.code,
        message=record.message,
        hint=record.hint,
        attempt=record.attempt,
        retry_of=record.retry_of,
        retried_by=record.retried_by,
        operation=record.operation,
        log_lines=record.log_lines,
        log_truncated=record.log_truncated,
    )


def view_job(job: Job, last: ExecutionRecord | None, caller: Caller, now: datetime) -> JobView:
    """A job as ``caller`` sees it. Command and webhooks are left out: a command may name hosts and
    a webhook's address is often a secret."""
    return JobView(
        name=job.full_name,
        stack=job.stack,
        description=job.description,
        built_in=job.built_in,
        where="control plane" if job.target is None else f"machines of role {job.target.role}",
        options=job.options,
        environment_option=job.environment_option,
        timeout_s=job.timeout_s,
        retries=job.retries,
        concurrency=job.concurrency,
        schedules=tuple(
            ScheduleView(
                cron=each.cron,
                zone=each.zone,
                options=each.options,
                missed=each.missed,
                next_at=next_time(each, now),
            )
            for each in job.schedules
        ),
        run=job.run,
        approval=job.approval,
        may_run=_may_run(job, caller),
        last=None if last is None else view_execution(last),
    )


def _may_run(job: Job, caller: Caller) -> bool:
    try:
        if job.built_in:
            # On which stack, and its own right, is asked for when it begins.
            require_somewhere(caller, Action.RUN_JOB)
            return True
        require(caller, Action.RUN_JOB, job.stack)
        if job.run is not None:
            require_who(job.run, caller, job.stack, "")
    except RefusedError:
        return False
    return True


def execution_json(view: ExecutionView) -> bytes:
    """An execution as a webhook tells of it: the same as the API does."""
    return _executions().dump_json(view)


@cache
def _executions() -> TypeAdapter[ExecutionView]:
    return TypeAdapter(ExecutionView)
