"""Executions to look at: one of them, or the newest, as far as somebody may see them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from greenroom.app.jobs.admission import find_job, visible
from greenroom.app.jobs.views import view_execution
from greenroom.errors import InputError
from greenroom.model.access import EVERY_STACK, Caller
from greenroom.model.jobs import ExecutionView
from greenroom.store.database import Database
from greenroom.store.executions import ExecutionRecord, find_execution, list_executions

PAGE_MAX = 200


class ExecutionHistory:
    """What ran, runs and waits, from the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def one(self, execution: str, caller: Caller) -> ExecutionView:
        """Where an execution stands; raises InputError E_NO_EXECUTION."""
        return view_execution(self.record(execution, caller))

    def page(
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

    def record(self, execution: str, caller: Caller) -> ExecutionRecord:
        """As ``one``, with all that the ledger has of it."""
        with self._database.read() as connection:
            record = find_execution(connection, execution)
        if record is None or seen(record, caller) is None:
            raise InputError(
                "E_NO_EXECUTION",
                f"there is no execution {execution!r}",
                hint="greenroom job history lists them",
            )
        return record


def seen(record: ExecutionRecord | None, caller: Caller) -> ExecutionRecord | None:
    """The execution, if the caller may see it."""
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
