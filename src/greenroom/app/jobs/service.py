"""Jobs as the web sees them: what can be asked for, and what is answered."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from greenroom.app.audit import entry_of
from greenroom.app.clock import Clock, SystemClock
from greenroom.app.control_plane import ControlPlane
from greenroom.app.host_paths import require_blueprint
from greenroom.app.jobs import built_in
from greenroom.app.jobs.admission import (
    Admitted,
    admit_run,
    find_job,
    require_who,
    targets,
    touches_production,
    visible,
)
from greenroom.app.jobs.log import LogBook, LogWriter
from greenroom.app.jobs.queue import WAITING_MAX, Queue, Ticket, left_until, when_written
from greenroom.app.jobs.run import Assignment, Run, Stop, interrupted, lost
from greenroom.app.jobs.views import view_execution, view_job
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.rights import require
from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.model.access import EVERY_STACK, ITSELF, Action, Caller, allows
from greenroom.model.audit import AuditEntry, shown
from greenroom.model.audit import Outcome as AuditOutcome
from greenroom.model.job_words import Outcome
from greenroom.model.jobs import (
    MASK,
    ExecutionStatus,
    ExecutionView,
    Job,
    JobView,
    Trigger,
    Webhook,
)
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest, Request
from greenroom.model.views import OperationView
from greenroom.plan.job_options import masked
from greenroom.ports import Processes
from greenroom.store.audit import insert_audit, origin_of
from greenroom.store.database import Database
from greenroom.store.executions import (
    ExecutionEnd,
    ExecutionRecord,
    end_execution,
    find_execution,
    insert_execution,
    last_executions,
    list_executions,
    set_approved,
    set_decided_by,
    set_operation,
    set_started,
    unfinished_executions,
)
from greenroom.store.jobs import blueprint_of_jobs, list_jobs, replace_jobs
from greenroom.store.tokens import person_of

PAGE_MAX = 200
_SWEEP_EVERY_S = 30.0

_logger = logging.getLogger(__name__)

JobsReader = Callable[[Path], tuple[str, tuple[Job, ...]]]
"""The stack of a blueprint and its jobs; raises InputError with all faults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Why an execution comes to be, beside what it is given."""

    trigger: Trigger = Trigger.CALLER
    attempt: int = 1
    retry_of: str | None = None
    delay_s: float = 0.0
    zone: str = "UTC"
    also: Callable[[Connection], None] | None = None


class Jobs:
    """The jobs of a region and their executions. Its methods may be called from any thread; they
    block for milliseconds, ``abort`` until the processes are gone."""

    def __init__(
        self,
        *,
        database: Database,
        control: ControlPlane,
        processes: Processes,
        log_folder: Path,
        read_jobs: JobsReader,
        notify: Callable[[Webhook, ExecutionView], None],
        clock: Clock | None = None,
    ) -> None:
        """``notify`` must not block. Nothing runs before ``recover``."""
        self._database = database
        self._control = control
        self._processes = processes
        self._read_jobs = read_jobs
        self._notify = notify
        self._clock: Clock = SystemClock() if clock is None else clock
        self.book = LogBook(log_folder, self._clock)
        self._queue = Queue(self._work, self._clock)
        self._awaiting: dict[str, Ticket] = {}
        # Held while an execution changes from waiting to anything else.
        self._deciding = threading.Lock()
        self._closing = threading.Event()
        self._sweep_s = 0.0
        self._unfinished: set[str] = set()
        self.changed: Callable[[], None] = lambda: None
        control.on_submit(self._register_beside)

    # Definitions

    def register(self, blueprint: Path, caller: Caller) -> tuple[JobView, ...]:
        """Have the stack's jobs be those of this blueprint, which they are until the next time.

        Raises InputError E_BLUEPRINT with all faults; RefusedError E_FORBIDDEN for anybody but an
        operator of the stack, and of every stack where a definition names the user; and for a path
        that the caller may not name.
        """
        with self._database.read() as connection:
            require_blueprint(connection, caller, Action.REGISTER_JOBS, blueprint)
        stack, found = self._read_jobs(blueprint)
        require(caller, Action.REGISTER_JOBS, stack)
        _require_users(found, caller)
        with self._database.write() as connection:
            replace_jobs(
                connection,
                stack,
                found,
                blueprint=str(blueprint.resolve()),
                by=caller.name,
                now=self._clock.now(),
            )
            insert_audit(
                connection, _registered(stack, found, blueprint, caller), self._clock.now()
            )
        self.changed()
        return tuple(view for view in self.jobs(caller) if view.stack == stack)

    def _register_beside(self, request: Request, caller: Caller) -> None:
        """What a create does for the jobs of its blueprint: register them, if the caller may and
        the stack's jobs do not come from another file. Whatever is wrong is the create's to tell.
        """
        if not isinstance(request, CreateRequest):
            return
        try:
            stack, found = self._read_jobs(request.blueprint)
            with self._database.read() as connection:
                source = blueprint_of_jobs(connection, stack)
                known = tuple(record.job for record in list_jobs(connection, stack))
            is_ours = source in (None, str(request.blueprint.resolve()))
            if is_ours and known != found:
                self.register(request.blueprint, caller)
        except GreenroomError as error:
            _logger.info("the jobs of %s: %s", request.blueprint, error.message)

    def jobs(self, caller: Caller) -> tuple[JobView, ...]:
        """All jobs that the caller may see, by name; the built-in ones come last."""
        with self._database.read() as connection:
            registered = [record.job for record in list_jobs(connection)]
            last = last_executions(connection)
        now = self._clock.now()
        known = [job for job in registered if visible(caller, job.stack)]
        return tuple(
            view_job(job, _seen(last.get(job.full_name), caller), caller, now)
            for job in (*known, *built_in.BUILT_IN_JOBS)
        )

    def job(self, text: str, caller: Caller) -> JobView:
        """The job called ``text``; raises InputError."""
        with self._database.read() as connection:
            job = find_job(connection, text, caller)
            last = list_executions(connection, limit=1, job=job.full_name)
        newest = _seen(last[0], caller) if last else None
        return view_job(job, newest, caller, self._clock.now())

    # Executions

    def run(self, text: str, given: Mapping[str, str], caller: Caller) -> ExecutionView:
        """Run the job called ``text`` with these values; raises InputError or RefusedError."""
        with self._database.read() as connection:
            job = find_job(connection, text, caller)
        return self.submit(job, given, caller, Origin())

    def submit(
        self, job: Job, given: Mapping[str, str], caller: Caller, origin: Origin
    ) -> ExecutionView:
        """As ``run``, for a job that is known and any reason; RefusedError E_JOB_QUEUE_FULL once
        ``WAITING_MAX`` wait."""
        now = self._clock.now()
        if (waiting := self._queue.waiting + len(self._awaiting)) >= WAITING_MAX:
            raise RefusedError(
                "E_JOB_QUEUE_FULL",
                f"{waiting} executions wait already; {job.full_name} cannot join them",
                hint="greenroom job history shows them; greenroom job abort ends one",
            )
        with self._database.write() as connection:
            admitted = admit_run(connection, job, given, caller, now, origin.zone)
            record = self._record(job, admitted, caller, origin, now)
            insert_execution(connection, record, caller.origin)
            if origin.also is not None:
                origin.also(connection)
        self._accept(Ticket(record=record, values=admitted.values, caller=caller))
        return view_execution(record)

    def _record(
        self, job: Job, admitted: Admitted, caller: Caller, origin: Origin, now: datetime
    ) -> ExecutionRecord:
        waits = job.approval is not None
        return ExecutionRecord(
            id=f"ex{secrets.token_hex(6)}",
            job=job,
            stack=admitted.stack,
            environment=admitted.environment,
            options=masked(job, admitted.values),
            status=ExecutionStatus.AWAITING_APPROVAL if waits else ExecutionStatus.QUEUED,
            trigger=origin.trigger,
            asked_by=caller.name,
            created_at=now,
            not_before=now + timedelta(seconds=origin.delay_s),
            attempt=origin.attempt,
            retry_of=origin.retry_of,
        )

    def is_unfinished(self, execution: str) -> bool:
        """Whether more may come of it; from memory, as each follower asks at each line."""
        return execution in self._unfinished

    def _accept(self, ticket: Ticket) -> None:
        record = ticket.record
        self._unfinished.add(record.id)
        if record.status is ExecutionStatus.AWAITING_APPROVAL and record.job.approval is not None:
            until = record.created_at + timedelta(seconds=record.job.approval.expires_s)
            left_s = left_until(until, record, self._clock.now())
            with self._deciding:
                expires_s = self._clock.monotonic_s() + left_s
                self._awaiting[record.id] = replace(ticket, expires_s=expires_s)
        else:
            self._queue.add(ticket)

    def refuse(self, job: Job, error: GreenroomError, caller: Caller, origin: Origin) -> None:
        """Keep in the history that a run could not even begin, where nobody is told directly."""
        now = self._clock.now()
        admitted = Admitted(values={}, environment=None, stack=job.stack)
        record = replace(
            self._record(job, admitted, caller, origin, now), status=ExecutionStatus.QUEUED
        )
        with self._database.write() as connection:
            insert_execution(connection, record, caller.origin)
            end_execution(connection, record.id, _failure(error), now)
            if origin.also is not None:
                origin.also(connection)

    def execution(self, execution: str, caller: Caller) -> ExecutionView:
        """Where an execution stands; raises InputError E_NO_EXECUTION."""
        return view_execution(self._find(execution, caller))

    def history(
        self,
        caller: Caller,
        *,
        job: str | None = None,
        environment: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> tuple[ExecutionView, ...]:
        """The newest executions first, at most ``PAGE_MAX``; ``before`` is the last one of the page
        before. A job or an environment that is gone has its history still."""
        with self._database.read() as connection:
            name = None if job is None else _full_name(connection, job, caller)
            found = list_executions(
                connection,
                limit=min(limit, PAGE_MAX),
                job=name,
                environment=environment,
                stacks=_stacks(caller),
                before=before,
            )
        return tuple(view_execution(record) for record in found)

    def abort(self, execution: str, caller: Caller) -> ExecutionView:
        """End an execution and all its processes; one that has ended stays as it is."""
        record = self._find(execution, caller)
        self._require_run(record, caller)
        if not self._abort_waiting(record, caller):
            self._queue.stop(execution, caller.name)
        return self.execution(execution, caller)

    def _abort_waiting(self, record: ExecutionRecord, caller: Caller) -> bool:
        message = f"{record.job.full_name} was aborted by {caller.name} before it began"
        end = ExecutionEnd(status=ExecutionStatus.ABORTED, code="E_JOB_ABORTED", message=message)
        with self._deciding:
            withdrawn = self._queue.withdraw(record.id)
            if withdrawn is None and record.id not in self._awaiting:
                return False
            try:
                self._write_end(record.id, end)
            except BaseException:
                # Nobody can say that it has ended: it waits on.
                if withdrawn is not None:
                    self._queue.add(withdrawn)
                raise
            self._awaiting.pop(record.id, None)
        self._after_end(record.id)
        return True

    def retry(
        self, execution: str, caller: Caller, given: Mapping[str, str] | None = None
    ) -> ExecutionView:
        """Run the job again with the same options; ``given`` are its secrets, which are not kept.

        Raises InputError E_JOB_SECRET if one is missing, RefusedError E_JOB_RUNS before the end.
        """
        record = self._find(execution, caller)
        if not record.status.final:
            raise RefusedError(
                "E_JOB_RUNS",
                f"execution {execution} of {record.job.full_name} is {record.status}",
                hint="retry it when it has ended",
            )
        with self._database.read() as connection:
            job = find_job(connection, record.job.full_name, caller)
        values = {name: value for name, value in record.options.items() if value != MASK}
        values |= given or {}
        missing = [name for name in record.options if name not in values]
        if missing:
            raise InputError(
                "E_JOB_SECRET",
                f"the secrets of execution {execution} were not kept: give "
                f"{', '.join(missing)} again",
                hint=f"greenroom job retry {execution} {missing[0]}=@FILE",
            )
        origin = Origin(trigger=Trigger.RETRY, attempt=record.attempt + 1, retry_of=record.id)
        return self.submit(job, values, caller, origin)

    # Approvals

    def approve(self, execution: str, caller: Caller) -> ExecutionView:
        """Let an execution begin that waits for it; raises RefusedError."""
        with self._deciding:
            ticket = self._decidable(execution, caller, "approving")
            with self._database.write() as connection:
                set_approved(connection, execution, caller.name)
            del self._awaiting[execution]
        approved = replace(ticket.record, status=ExecutionStatus.QUEUED, decided_by=caller.name)
        self._queue.add(replace(ticket, record=approved))
        self.book.tell(execution)
        return self.execution(execution, caller)

    def reject(self, execution: str, caller: Caller) -> ExecutionView:
        """End an execution that waits for approval; raises RefusedError."""
        with self._deciding:
            record = self._decidable(execution, caller, "rejecting").record
            message = f"{record.job.full_name} was rejected by {caller.name}"
            end = ExecutionEnd(
                status=ExecutionStatus.REJECTED, code="E_JOB_REJECTED", message=message
            )
            self._write_end(
                execution,
                end,
                lambda connection: set_decided_by(connection, execution, caller.name),
            )
            del self._awaiting[execution]
        self._after_end(execution)
        return self.execution(execution, caller)

    def expire(self) -> None:
        """End what waited too long for its approval."""
        now_s = self._clock.monotonic_s()
        for ticket in tuple(self._awaiting.values()):
            if now_s >= ticket.expires_s:
                self._expire(ticket)

    def _expire(self, ticket: Ticket) -> None:
        execution, job = ticket.record.id, ticket.record.job
        end = ExecutionEnd(
            status=ExecutionStatus.EXPIRED,
            code="E_JOB_EXPIRED",
            message=f"nobody approved {job.full_name} in time",
            hint="run it again, and tell those who may approve it",
        )
        with self._deciding:
            if execution not in self._awaiting:
                return
            self._write_end(execution, end)
            del self._awaiting[execution]
        self._after_end(execution)

    def _decidable(self, execution: str, caller: Caller, verb: str) -> Ticket:
        """What ``caller`` may decide on; it waits until the decision is in the ledger."""
        record = self._find(execution, caller)
        approval = record.job.approval
        ticket = self._awaiting.get(execution)
        if ticket is None or approval is None:
            raise RefusedError(
                "E_JOB_NOT_WAITING",
                f"execution {execution} of {record.job.full_name} does not wait for approval: "
                f"it is {record.status}",
                hint=f"greenroom job show {execution}",
            )
        require_who(approval.who, caller, record.stack, f"{verb} {record.job.full_name}")
        if self._is_own(record, caller):
            same = "" if caller.name == record.asked_by else f", as {record.asked_by},"
            raise RefusedError(
                "E_OWN_APPROVAL",
                f"{caller.name}{same} asked for execution {execution}; somebody else must decide "
                "on it",
                hint=f"greenroom job abort {execution} withdraws it",
            )
        return ticket

    def _is_own(self, record: ExecutionRecord, caller: Caller) -> bool:
        """Whether the same person asked: a token that somebody made for themselves is they."""
        if caller.name == record.asked_by:
            return True
        with self._database.read() as connection:
            asked = person_of(connection, record.asked_by, record.created_at)
            return asked == person_of(connection, caller.name, self._clock.now())

    # The life of the process

    def recover(self) -> None:
        """End what a crash left running, and go on with what waited."""
        self._processes.end_left_over()
        with self._database.read() as connection:
            unfinished = unfinished_executions(connection)
        for record in unfinished:
            values = dict(record.options)
            ticket = Ticket(record=record, values=values)
            if record.status is ExecutionStatus.RUNNING and record.operation is not None:
                self._unfinished.add(record.id)
                self._queue.add(ticket)
            elif record.status is ExecutionStatus.RUNNING or not _can_go_on(record):
                self._end(record.id, interrupted(record.job), ticket)
            else:
                self._accept(ticket)

    def tick(self) -> None:
        """What the passing of time brings: retries are due, approvals expire."""
        self._queue.start_due()
        self.expire()
        if self._clock.monotonic_s() >= self._sweep_s:
            self.book.prune(self.is_unfinished)
            self._end_lost()
            self._sweep_s = self._clock.monotonic_s() + _SWEEP_EVERY_S

    def _end_lost(self) -> None:
        """End what runs by the ledger and not here: its end could not be written."""
        with self._database.read() as connection:
            unfinished = unfinished_executions(connection)
        for record in unfinished:
            if record.status is not ExecutionStatus.RUNNING or self._queue.holds(record.id):
                continue
            # Asked again: it may have ended since, and what left the queue has written its end.
            with self._database.read() as connection:
                now = find_execution(connection, record.id)
            if now is not None and now.status is ExecutionStatus.RUNNING:
                self._end(record.id, lost(record.job))

    def close(self) -> None:
        """Interrupt what runs; what waits goes on with the next daemon."""
        self._closing.set()
        self._queue.close()
        self._processes.close()

    def _work(self, ticket: Ticket, stop: Stop) -> None:
        """An execution's thread."""
        record = ticket.record
        writer = self.book.writer(record.id)
        try:
            end = self._do(ticket, stop, writer)
        except GreenroomError as error:
            writer.say(error.message)
            end = _failure(error)
        except Exception as error:
            _logger.exception("execution %s", record.id)
            end = ExecutionEnd(
                status=ExecutionStatus.FAILED,
                code="E_BUG",
                message=f"greenroom failed: {type(error).__name__}",
                hint="the daemon's log says more; please report it",
            )
        finally:
            writer.close()
        self._end(record.id, _with_log(end, writer), ticket)

    def _do(self, ticket: Ticket, stop: Stop, writer: LogWriter) -> ExecutionEnd:
        record = ticket.record
        if record.status is not ExecutionStatus.RUNNING:
            with self._database.write() as connection:
                set_started(connection, record.id, self._clock.now())
            self.book.tell(record.id)
        if record.job.built_in:
            return self._do_operation(ticket, stop, writer)
        with self._database.read() as connection:
            stack, machines = targets(connection, record.job, record.environment)
        assignment = Assignment(record=record, values=ticket.values, stack=stack, machines=machines)
        return Run(assignment, self._processes, writer, stop, self._clock).run()

    def _do_operation(self, ticket: Ticket, stop: Stop, writer: LogWriter) -> ExecutionEnd:
        record, operation = ticket.record, ticket.record.operation
        if operation is None:
            assert ticket.caller is not None
            if record.job == built_in.EXTEND:
                lifetimes = Lifetimes(database=self._database, clock=self._clock)
                return built_in.extend(lifetimes, ticket.values, writer, ticket.caller)
            begun = built_in.begin(self._control, record.job, ticket.values, ticket.caller)
            operation = begun.id
            when_written(lambda: self._link(record.id, begun), self._closing)
        return built_in.follow_to_end(
            self._control, record.job, operation, writer, stop, ticket.caller or ITSELF
        )

    def _link(self, execution: str, begun: OperationView) -> None:
        with self._database.write() as connection:
            name = EnvironmentName.parse(begun.environment)
            set_operation(connection, execution, begun.id, name)

    def _end(self, execution: str, end: ExecutionEnd, ticket: Ticket | None = None) -> None:
        """Write the end, and what it brings: another try, notifications.
        Waits for a ledger that is full or away."""
        retry = None if ticket is None else self._next_try(ticket, end, self._clock.now())

        def try_again(connection: Connection) -> None:
            if retry is not None:
                asked_from = origin_of(connection, execution)
                insert_execution(connection, retry.record, asked_from)

        when_written(lambda: self._write_end(execution, end, try_again), self._closing)
        if retry is not None:
            self._accept(retry)
        when_written(lambda: self._after_end(execution), self._closing)

    def _write_end(
        self,
        execution: str,
        end: ExecutionEnd,
        also: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        with self._database.write() as connection:
            end_execution(connection, execution, end, self._clock.now())
            also(connection)
        self._unfinished.discard(execution)
        self.book.tell(execution)

    def _after_end(self, execution: str) -> None:
        with self._database.read() as connection:
            record = find_execution(connection, execution)
        if record is not None:
            self._tell_others(record)

    def _next_try(self, ticket: Ticket, end: ExecutionEnd, now: datetime) -> Ticket | None:
        """The execution that tries a failed one again, if its definition says so."""
        record, retries = ticket.record, ticket.record.job.retries
        failed = end.status is ExecutionStatus.FAILED or (
            end.status is ExecutionStatus.INTERRUPTED and retries.interrupted
        )
        if not failed or record.attempt > retries.times or not _keeps_values(record, ticket):
            return None
        again = replace(
            record,
            id=f"ex{secrets.token_hex(6)}",
            status=ExecutionStatus.QUEUED,
            trigger=Trigger.RETRY,
            created_at=now,
            not_before=now + timedelta(seconds=retries.delay_s),
            attempt=record.attempt + 1,
            retry_of=record.id,
            operation=None,
        )
        return replace(ticket, record=again)

    def _tell_others(self, record: ExecutionRecord) -> None:
        is_success = record.status is ExecutionStatus.SUCCEEDED
        outcome = Outcome.SUCCESS if is_success else Outcome.FAILURE
        for webhook in record.job.notify:
            if outcome in webhook.on:
                self._notify(webhook, view_execution(record))

    def _find(self, execution: str, caller: Caller) -> ExecutionRecord:
        with self._database.read() as connection:
            record = find_execution(connection, execution)
        if record is None or _seen(record, caller) is None:
            raise InputError(
                "E_NO_EXECUTION",
                f"there is no execution {execution!r}",
                hint="greenroom job history lists them",
            )
        return record

    def _require_run(self, record: ExecutionRecord, caller: Caller) -> None:
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


def _require_users(found: Sequence[Job], caller: Caller) -> None:
    """A user of this host is no stack's: whoever runs commands as root, or as the user of another
    stack's jobs, has all stacks."""
    named = [job for job in found if job.user is not None]
    if named and not allows(caller, Action.REGISTER_JOBS, EVERY_STACK, production=True):
        job = named[0]
        raise RefusedError(
            "E_FORBIDDEN",
            f"registering {job.full_name} with user: {job.user} takes the role operator on every "
            f"stack, which {caller.name} has not",
            hint="leave out user: and it runs with no rights on this host, or have somebody who is "
            "operator of every stack register it",
        )


def _registered(stack: str, found: Sequence[Job], blueprint: Path, caller: Caller) -> AuditEntry:
    names = [job.name for job in found]
    parameters = shown({"blueprint": blueprint, "jobs": names})
    return entry_of(
        caller,
        Action.REGISTER_JOBS,
        AuditOutcome.DONE,
        stack=stack,
        subject=stack,
        parameters=parameters,
    )


def _seen(record: ExecutionRecord | None, caller: Caller) -> ExecutionRecord | None:
    if record is None or visible(caller, record.stack) or caller.name == record.asked_by:
        return record
    return None


def _stacks(caller: Caller) -> Sequence[str] | None:
    names = [grant.stack for grant in caller.grants]
    return None if EVERY_STACK in names else names


def _full_name(connection: Connection, text: str, caller: Caller) -> str:
    try:
        return find_job(connection, text, caller).full_name
    except InputError as error:
        if error.code == "E_NO_JOB" and ("/" in text or ":" in text):
            return text
        raise


def _failure(error: GreenroomError) -> ExecutionEnd:
    return ExecutionEnd(
        status=ExecutionStatus.FAILED, code=error.code, message=error.message, hint=error.hint
    )


def _with_log(end: ExecutionEnd, writer: LogWriter) -> ExecutionEnd:
    """The end with what became of the log; that it is incomplete does not fail the job."""
    end = replace(end, log_lines=writer.lines, log_truncated=writer.dropped > 0)
    if writer.fault and end.code is None:
        return replace(
            end,
            code="E_JOB_LOG",
            message=f"the job's log could not be written: {writer.fault}",
            hint="free some space on the disk of the daemon's state; the job itself went on",
        )
    return end


def _can_go_on(record: ExecutionRecord) -> bool:
    """Whether all that a waiting execution needs is in the ledger: no secret, and nobody's rights,
    which may have been taken away since."""
    return MASK not in record.options.values() and not record.job.built_in


def _keeps_values(record: ExecutionRecord, ticket: Ticket) -> bool:
    """Whether the values are all there; after a restart, secrets are not."""
    if record.job.built_in and ticket.caller is None:
        return False
    return all(
        ticket.values.get(name) != MASK for name, value in record.options.items() if value == MASK
    )
