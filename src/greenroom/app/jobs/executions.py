"""Executions as they are asked for, by somebody or by a schedule: run, abort, retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from greenroom.app.clock import Clock
from greenroom.app.jobs.admission import (
    SCHEDULER,
    Admitted,
    admit_run,
    find_job,
    require_who,
    touches_production,
)
from greenroom.app.jobs.ending import failure, new_id
from greenroom.app.jobs.history import ExecutionHistory
from greenroom.app.jobs.queue import WAITING_MAX, Queue, Ticket
from greenroom.app.jobs.views import view_execution
from greenroom.app.jobs.waiting import Waiting
from greenroom.app.rights import require
from greenroom.errors import GreenroomError, HostError, InputError, RefusedError
from greenroom.model.access import Action, Caller
from greenroom.model.jobs import MASK, ExecutionStatus, ExecutionView, Job, Schedule, Trigger
from greenroom.plan.job_options import masked
from greenroom.store.database import Database
from greenroom.store.executions import ExecutionRecord, end_execution, insert_execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Why an execution comes to be, beside what it is given."""

    trigger: Trigger = Trigger.CALLER
    attempt: int = 1
    retry_of: str | None = None
    zone: str = "UTC"


class Executions:
    """What somebody may ask for. An abort takes until the processes are gone, all else
    milliseconds."""

    def __init__(
        self,
        database: Database,
        history: ExecutionHistory,
        waiting: Waiting,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._history = history
        self._waiting = waiting
        self._queue = queue
        self._clock = clock

    def run(self, text: str, given: Mapping[str, str], caller: Caller) -> ExecutionView:
        """Run the job called ``text`` with these values; raises InputError or RefusedError."""
        with self._database.read() as connection:
            job = find_job(connection, text, caller)
        return self._submit(job, given, caller, Origin())

    def fire(self, job: Job, due: Sequence[Schedule], also: Callable[[Connection], None]) -> None:
        """Run ``job`` for each of its schedules that is ``due``, in one transaction with what
        ``also`` writes: after a crash all of that has happened, or nothing. What cannot begin
        stands in the history with the reason, as nobody is told directly. Raises HostError."""
        with self._waiting.taking_in():
            with self._database.write() as connection:
                fired = [self._fire(connection, job, each) for each in due]
                also(connection)
            for ticket in fired:
                if ticket is not None:
                    self._waiting.accept(ticket)

    def _fire(self, connection: Connection, job: Job, schedule: Schedule) -> Ticket | None:
        origin = Origin(trigger=Trigger.SCHEDULE, zone=schedule.zone)
        try:
            return self._admit(connection, job, dict(schedule.options), SCHEDULER, origin)
        except HostError:
            raise
        except GreenroomError as error:
            now = self._clock.now()
            admitted = Admitted(values={}, environment=None, stack=job.stack)
            record = _record(job, admitted, SCHEDULER, origin, now)
            record = replace(record, status=ExecutionStatus.QUEUED)
            insert_execution(connection, record, SCHEDULER.origin)
            end_execution(connection, record.id, failure(error), now)
            return None

    def _submit(
        self, job: Job, given: Mapping[str, str], caller: Caller, origin: Origin
    ) -> ExecutionView:
        with self._waiting.taking_in():
            with self._database.write() as connection:
                ticket = self._admit(connection, job, given, caller, origin)
            self._waiting.accept(ticket)
        return view_execution(ticket.record)

    def _admit(
        self,
        connection: Connection,
        job: Job,
        given: Mapping[str, str],
        caller: Caller,
        origin: Origin,
    ) -> Ticket:
        """Write down an execution. Raises InputError or RefusedError, before anything is written;
        E_JOB_QUEUE_FULL once ``WAITING_MAX`` wait."""
        self._require_room(job)
        now = self._clock.now()
        admitted = admit_run(connection, job, given, caller, now, origin.zone)
        record = _record(job, admitted, caller, origin, now)
        insert_execution(connection, record, caller.origin)
        return Ticket(record=record, values=admitted.values, caller=caller)

    def abort(self, execution: str, caller: Caller) -> ExecutionView:
        """End an execution and all its processes; one that has ended stays as it is."""
        record = self._history.record(execution, caller)
        self._require_abort(record, caller)
        if not self._waiting.abort(record, caller):
            self._queue.stop(execution, caller.name)
        return self._history.one(execution, caller)

    def retry(
        self, execution: str, caller: Caller, given: Mapping[str, str] | None = None
    ) -> ExecutionView:
        """Run the job again with the same options; ``given`` are its secrets, which are not kept.

        Raises InputError E_JOB_SECRET if one is missing, RefusedError E_JOB_RUNS before the end.
        """
        record = self._history.record(execution, caller)
        if not record.status.final:
            raise RefusedError(
                "E_JOB_RUNS",
                f"execution {execution} of {record.job.full_name} is {record.status}",
                hint="retry it when it has ended",
            )
        with self._database.read() as connection:
            job = find_job(connection, record.job.full_name, caller)
        values = _values_again(record, given or {})
        origin = Origin(trigger=Trigger.RETRY, attempt=record.attempt + 1, retry_of=record.id)
        return self._submit(job, values, caller, origin)

    def _require_room(self, job: Job) -> None:
        if (waiting := self._waiting.count) >= WAITING_MAX:
            raise RefusedError(
                "E_JOB_QUEUE_FULL",
                f"{waiting} executions wait already; {job.full_name} cannot join them",
                hint="greenroom job history shows them; greenroom job abort ends one",
            )

    def _require_abort(self, record: ExecutionRecord, caller: Caller) -> None:
        """Whoever asked for it, and whoever might have, may end it; an operation, whoever may
        cancel it."""
        job = record.job
        if caller.name == record.asked_by and (record.operation is None or not job.built_in):
            return
        with self._database.read() as connection:
            production = touches_production(connection, record)
        action = Action.CANCEL if job.built_in else Action.RUN_JOB
        require(caller, action, record.stack, production=production)
        if job.run is not None and caller.name != record.asked_by:
            require_who(job.run, caller, record.stack, "aborting it")


def _record(
    job: Job, admitted: Admitted, caller: Caller, origin: Origin, now: datetime
) -> ExecutionRecord:
    waits = job.approval is not None
    return ExecutionRecord(
        id=new_id(),
        job=job,
        stack=admitted.stack,
        environment=admitted.environment,
        options=masked(job, admitted.values),
        status=ExecutionStatus.AWAITING_APPROVAL if waits else ExecutionStatus.QUEUED,
        trigger=origin.trigger,
        asked_by=caller.name,
        created_at=now,
        not_before=now,
        attempt=origin.attempt,
        retry_of=origin.retry_of,
    )


def _values_again(record: ExecutionRecord, given: Mapping[str, str]) -> dict[str, str]:
    """What the execution was given, with its secrets from ``given``."""
    values = {name: value for name, value in record.options.items() if value != MASK}
    values |= given
    missing = [name for name in record.options if name not in values]
    if missing:
        raise InputError(
            "E_JOB_SECRET",
            f"the secrets of execution {record.id} were not kept: give {', '.join(missing)} again",
            hint=f"greenroom job retry {record.id} {missing[0]}=@FILE",
        )
    return values
