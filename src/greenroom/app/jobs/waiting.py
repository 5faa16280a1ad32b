"""Executions before they begin: they wait for somebody's approval, then for their turn."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

from greenroom.app.clock import Clock
from greenroom.app.jobs.admission import require_who
from greenroom.app.jobs.approvals import refuse_own
from greenroom.app.jobs.ending import Endings
from greenroom.app.jobs.history import ExecutionHistory
from greenroom.app.jobs.log import LogBook
from greenroom.app.jobs.queue import Queue, Ticket, left_until
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.access import Caller
from greenroom.model.jobs import ExecutionStatus, ExecutionView
from greenroom.store.database import Database
from greenroom.store.executions import ExecutionEnd, ExecutionRecord, set_approved, set_decided_by


class Waiting:
    """Those that wait for approval, and what becomes of any that has not begun."""

    def __init__(
        self,
        database: Database,
        history: ExecutionHistory,
        endings: Endings,
        queue: Queue,
        book: LogBook,
        clock: Clock,
    ) -> None:
        self._database = database
        self._history = history
        self._endings = endings
        self._queue = queue
        self._book = book
        self._clock = clock
        self._awaiting: dict[str, Ticket] = {}
        # Held while an execution changes from waiting to anything else, or begins to wait.
        self._deciding = threading.RLock()

    @property
    def count(self) -> int:
        """How many wait, for approval or for their turn."""
        return self._queue.waiting + len(self._awaiting)

    def taking_in(self) -> AbstractContextManager[object]:
        """Hold back every abort until what is written into the ledger meanwhile was accepted here,
        too: it would find nothing that waits."""
        return self._deciding

    def accept(self, ticket: Ticket) -> None:
        """Have an execution wait that stands in the ledger."""
        record = ticket.record
        self._endings.expect(record.id)
        if record.status is ExecutionStatus.AWAITING_APPROVAL and record.job.approval is not None:
            until = record.created_at + timedelta(seconds=record.job.approval.expires_s)
            left_s = left_until(until, record, self._clock.now())
            with self._deciding:
                expires_s = self._clock.monotonic_s() + left_s
                self._awaiting[record.id] = replace(ticket, expires_s=expires_s)
        else:
            self._queue.add(ticket)

    def approve(self, execution: str, caller: Caller) -> ExecutionView:
        """Let an execution begin that waits for it; raises RefusedError."""
        with self._deciding:
            ticket = self._decidable(execution, caller, "approving")
            with self._database.write() as connection:
                set_approved(connection, execution, caller.name)
            del self._awaiting[execution]
            approved = replace(ticket.record, status=ExecutionStatus.QUEUED, decided_by=caller.name)
            self._queue.add(replace(ticket, record=approved))
        self._book.tell(execution)
        return self._history.one(execution, caller)

    def reject(self, execution: str, caller: Caller) -> ExecutionView:
        """End an execution that waits for approval; raises RefusedError."""
        with self._deciding:
            record = self._decidable(execution, caller, "rejecting").record
            message = f"{record.job.full_name} was rejected by {caller.name}"
            self._endings.write(
                execution,
                _end(ExecutionStatus.REJECTED, "E_JOB_REJECTED", message),
                lambda connection: set_decided_by(connection, execution, caller.name),
            )
            del self._awaiting[execution]
        self._endings.announce(execution)
        return self._history.one(execution, caller)

    def may_decide(self, execution: str, caller: Caller) -> bool:
        """Whether it waits for a decision that ``caller`` may take."""
        try:
            self._decidable(execution, caller, "deciding on")
        except GreenroomError:
            return False
        return True

    def abort(self, record: ExecutionRecord, caller: Caller) -> bool:
        """End an execution that waits here; False if it does not."""
        message = f"{record.job.full_name} was aborted by {caller.name} before it began"
        with self._deciding:
            withdrawn = self._queue.withdraw(record.id)
            if withdrawn is None and record.id not in self._awaiting:
                return False
            try:
                end = _end(ExecutionStatus.ABORTED, "E_JOB_ABORTED", message)
                self._endings.write(record.id, end)
            except BaseException:
                # Nobody can say that it has ended: it waits on.
                if withdrawn is not None:
                    self._queue.add(withdrawn)
                raise
            self._awaiting.pop(record.id, None)
        self._endings.announce(record.id)
        return True

    def expire(self) -> None:
        """End what waited too long for its approval."""
        now_s = self._clock.monotonic_s()
        for ticket in tuple(self._awaiting.values()):
            if now_s >= ticket.expires_s:
                self._expire(ticket)

    def _expire(self, ticket: Ticket) -> None:
        execution, job = ticket.record.id, ticket.record.job
        message = f"nobody approved {job.full_name} in time"
        end = _end(ExecutionStatus.EXPIRED, "E_JOB_EXPIRED", message)
        with self._deciding:
            if execution not in self._awaiting:
                return
            hint = "run it again, and tell those who may approve it"
            self._endings.write(execution, replace(end, hint=hint))
            del self._awaiting[execution]
        self._endings.announce(execution)

    def _decidable(self, execution: str, caller: Caller, verb: str) -> Ticket:
        """What ``caller`` may decide on; it waits until the decision is in the ledger."""
        record = self._history.record(execution, caller)
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
        with self._database.read() as connection:
            refuse_own(connection, record, approval.who, caller, self._clock.now())
        return ticket


def _end(status: ExecutionStatus, code: str, message: str) -> ExecutionEnd:
    return ExecutionEnd(status=status, code=code, message=message)
