"""What the thread of an execution does: start it, run its programs or its operation, end it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from greenroom.app.clock import Clock
from greenroom.app.control_plane import ControlPlane
from greenroom.app.jobs import built_in
from greenroom.app.jobs.admission import targets
from greenroom.app.jobs.ending import Endings, failure
from greenroom.app.jobs.log import LogBook, LogWriter
from greenroom.app.jobs.queue import Ticket
from greenroom.app.jobs.run import Assignment, Run
from greenroom.app.jobs.stop import Stop
from greenroom.app.lifetimes import Lifetimes
from greenroom.errors import GreenroomError
from greenroom.model.access import ITSELF
from greenroom.model.events import Event
from greenroom.model.jobs import ExecutionStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine, Stack
from greenroom.model.views import OperationView
from greenroom.ports import Processes
from greenroom.store.database import Database
from greenroom.store.executions import ExecutionEnd, ExecutionRecord, set_operation, set_started

_logger = logging.getLogger(__name__)


class Work:
    """Runs executions, each in the thread that calls ``do``."""

    def __init__(
        self,
        database: Database,
        control: ControlPlane,
        processes: Processes,
        book: LogBook,
        endings: Endings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._control = control
        self._processes = processes
        self._book = book
        self._endings = endings
        self._clock = clock

    def do(self, ticket: Ticket, stop: Stop) -> None:
        """Run an execution to its end, which is written whatever it is; an operation that outlives
        the daemon has none yet."""
        record = ticket.record
        writer = self._book.writer(record.id)
        end: ExecutionEnd | None
        try:
            end = self._run(ticket, stop, writer)
        except GreenroomError as error:
            writer.say(error.message)
            end = failure(error)
        except Exception as error:
            _logger.exception("execution %s", record.id)
            end = _bug(error)
        finally:
            writer.close()
        if end is not None:
            self._endings.end(ticket, _with_log(end, writer), stop)

    def _run(self, ticket: Ticket, stop: Stop, writer: LogWriter) -> ExecutionEnd | None:
        record = ticket.record
        if record.status is not ExecutionStatus.RUNNING:
            self._endings.patiently(lambda: self._start(record.id))
        if record.job.built_in:
            return self._run_operation(ticket, stop, writer)
        stack, machines = self._endings.patiently(lambda: self._targets(record))
        assignment = Assignment(record=record, values=ticket.values, stack=stack, machines=machines)
        return Run(assignment, self._processes, writer, stop, self._clock).run()

    def _start(self, execution: str) -> None:
        with self._database.write() as connection:
            set_started(connection, execution, self._clock.now())
        self._book.tell(execution)

    def _targets(self, record: ExecutionRecord) -> tuple[Stack | None, tuple[Machine, ...]]:
        with self._database.read() as connection:
            return targets(connection, record.job, record.environment)

    def _run_operation(self, ticket: Ticket, stop: Stop, writer: LogWriter) -> ExecutionEnd | None:
        record, operation = ticket.record, ticket.record.operation
        if operation is None:
            assert ticket.caller is not None
            if record.job == built_in.EXTEND:
                lifetimes = Lifetimes(database=self._database, clock=self._clock)
                return built_in.extend(lifetimes, ticket.values, writer, ticket.caller)
            begun = built_in.begin(self._control, record.job, ticket.values, ticket.caller)
            operation = begun.id
            self._endings.patiently(lambda: self._link(record.id, begun))
        return self._follow(ticket, operation, stop, writer)

    def _follow(
        self, ticket: Ticket, operation: str, stop: Stop, writer: LogWriter
    ) -> ExecutionEnd | None:
        control, caller = self._control, ticket.caller or ITSELF

        def wait(seq: int) -> Sequence[Event]:
            # What an earlier daemon wrote lies in the ledger.
            return self._endings.patiently(lambda: control.wait(operation, seq, built_in.WAIT_S))

        return built_in.follow_to_end(
            ticket.record.job,
            writer,
            stop,
            wait=wait,
            cancel=lambda: control.cancel(operation, caller),
        )

    def _link(self, execution: str, begun: OperationView) -> None:
        with self._database.write() as connection:
            name = EnvironmentName.parse(begun.environment)
            set_operation(connection, execution, begun.id, name)


def _bug(error: Exception) -> ExecutionEnd:
    return ExecutionEnd(
        status=ExecutionStatus.FAILED,
        code="E_BUG",
        message=f"greenroom failed: {type(error).__name__}",
        hint="the daemon's log says more; please report it",
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
