"""The ends of executions: written once, also if the ledger is away, with what each of them brings:
another try, notifications, news for those who follow."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from greenroom.app.clock import Clock
from greenroom.app.jobs.log import LogBook
from greenroom.app.jobs.queue import Ticket
from greenroom.app.jobs.stop import Stop, Why
from greenroom.app.jobs.views import view_execution
from greenroom.errors import GreenroomError, HostError
from greenroom.model.job_words import Outcome
from greenroom.model.jobs import MASK, ExecutionStatus, ExecutionView, Trigger, Webhook
from greenroom.store.audit import origin_of
from greenroom.store.database import PASSING, Database
from greenroom.store.executions import (
    ExecutionEnd,
    ExecutionRecord,
    end_execution,
    find_execution,
    insert_execution,
)

_PASSING_RETRY_S = 1.0

_logger = logging.getLogger(__name__)
_Found = TypeVar("_Found")

Notify = Callable[[Webhook, ExecutionView], None]
"""Tells a webhook of an end; must not block."""


class Endings:
    """Knows which executions have no end yet, and writes it when it comes."""

    def __init__(
        self,
        database: Database,
        book: LogBook,
        notify: Notify,
        again: Callable[[Ticket], None],
        clock: Clock,
    ) -> None:
        """``again`` is given what tries a failed execution again."""
        self._database = database
        self._book = book
        self._notify = notify
        self._again = again
        self._clock = clock
        self._closing = threading.Event()
        self._unfinished: set[str] = set()

    def expect(self, execution: str) -> None:
        """An end of it is to come."""
        self._unfinished.add(execution)

    def is_unfinished(self, execution: str) -> bool:
        """Whether more may come of it; from memory, as each follower asks at each line."""
        return execution in self._unfinished

    def end(self, ticket: Ticket, end: ExecutionEnd, stop: Stop | None = None) -> None:
        """Write the end, and what it brings: notifications, and another try, unless ``stop`` was
        asked by somebody. Waits for a ledger that is full or away."""
        retry = self.patiently(lambda: self._write_with_retry(ticket, end, stop))
        if retry is not None:
            self.expect(retry.record.id)
            self._again(retry)
        self.patiently(lambda: self.announce(ticket.record.id))

    def _write_with_retry(
        self, ticket: Ticket, end: ExecutionEnd, stop: Stop | None
    ) -> Ticket | None:
        # Asked now: an abort may have come while the ledger was away.
        is_aborted = stop is not None and stop.was_asked(Why.ABORT)
        retry = None if is_aborted else _next_try(ticket, end, self._clock.now())
        execution = ticket.record.id

        def try_again(connection: Connection) -> None:
            if retry is not None:
                asked_from = origin_of(connection, execution)
                insert_execution(connection, retry.record, asked_from)

        self.write(execution, end, try_again)
        return retry

    def write(
        self,
        execution: str,
        end: ExecutionEnd,
        also: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Write the end, and in the same transaction whatever ``also`` writes."""
        with self._database.write() as connection:
            end_execution(connection, execution, end, self._clock.now())
            also(connection)
        self._unfinished.discard(execution)
        self._book.tell(execution)

    def announce(self, execution: str) -> None:
        """Tell the webhooks that wait for such an end."""
        with self._database.read() as connection:
            record = find_execution(connection, execution)
        if record is None:
            return
        is_success = record.status is ExecutionStatus.SUCCEEDED
        outcome = Outcome.SUCCESS if is_success else Outcome.FAILURE
        for webhook in record.job.notify:
            if outcome in webhook.on:
                self._notify(webhook, view_execution(record))

    def patiently(self, act: Callable[[], _Found]) -> _Found:
        """Do what needs the ledger, also if that is full or away first and is back later: an end
        that is lost would let its execution stand unfinished."""
        told = ""
        while True:
            try:
                return act()
            except HostError as error:
                if error.code not in PASSING or self._closing.wait(_PASSING_RETRY_S):
                    raise
                if error.message != told:
                    _logger.error("%s", error.message)
                told = error.message

    def close(self) -> None:
        """Wait for the ledger no longer."""
        self._closing.set()


def failure(error: GreenroomError) -> ExecutionEnd:
    """The end of an execution that an error ended."""
    return ExecutionEnd(
        status=ExecutionStatus.FAILED, code=error.code, message=error.message, hint=error.hint
    )


def _next_try(ticket: Ticket, end: ExecutionEnd, now: datetime) -> Ticket | None:
    """The execution that tries a failed one again, if its definition says so."""
    record, retries = ticket.record, ticket.record.job.retries
    failed = end.status is ExecutionStatus.FAILED or (
        end.status is ExecutionStatus.INTERRUPTED and retries.interrupted
    )
    if not failed or record.attempt > retries.times or not _keeps_values(record, ticket):
        return None
    again = replace(
        record,
        id=new_id(),
        status=ExecutionStatus.QUEUED,
        trigger=Trigger.RETRY,
        created_at=now,
        not_before=now + timedelta(seconds=retries.delay_s),
        attempt=record.attempt + 1,
        retry_of=record.id,
        operation=None,
    )
    return replace(ticket, record=again)


def _keeps_values(record: ExecutionRecord, ticket: Ticket) -> bool:
    """Whether the values are all there; after a restart, secrets are not."""
    if record.job.built_in and ticket.caller is None:
        return False
    return all(
        ticket.values.get(name) != MASK for name, value in record.options.items() if value == MASK
    )


def new_id() -> str:
    """The name of an execution that nobody else has."""
    return f"ex{secrets.token_hex(6)}"
