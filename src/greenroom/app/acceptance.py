"""Taking a request in: one transaction decides and writes it down, then the engine begins it."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from sqlalchemy import Connection

from greenroom.app.clock import Clock
from greenroom.app.door import (
    admit_create,
    admit_deploy,
    admit_destroy,
    admit_drill,
    admit_recover,
    admit_replace,
    admit_start,
    admit_stop,
)
from greenroom.app.host_paths import require_request
from greenroom.app.operation import failure
from greenroom.app.orphans import Orphans
from greenroom.app.planning import Draft, Planner
from greenroom.errors import GreenroomError
from greenroom.model.access import Caller
from greenroom.model.proof import Verdict
from greenroom.model.requests import (
    CreateRequest,
    DeployRequest,
    DestroyRequest,
    DrillRequest,
    RecoverRequest,
    ReplaceRequest,
    Request,
    StartRequest,
    StopRequest,
)
from greenroom.model.views import EnvironmentStatus
from greenroom.ports import Engine, Provider
from greenroom.store.database import Database
from greenroom.store.environments import delete_environment, set_status
from greenroom.store.intents import undo_intents
from greenroom.store.operations import OperationRecord, finish_operation

Condition = Callable[[Connection], None]
"""Looks at the ledger; raises RefusedError."""


class Acceptance:
    """Accepts operations and hands them to the engine. Thread-safe."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        engine: Engine,
        planner: Planner,
        orphans: Orphans,
        clock: Clock,
    ) -> None:
        self._database = database
        self._provider = provider
        self._engine = engine
        self._planner = planner
        self._orphans = orphans
        self._clock = clock

    def accept(self, request: Request, caller: Caller, still: Condition) -> OperationRecord:
        """See ``ControlPlane.submit``."""
        record = self._admit(request, caller, still)
        try:
            self._engine.start(record.kind, record.id)
        except GreenroomError as error:
            self._withdraw(record, error)
            raise
        return record

    def _admit(self, request: Request, caller: Caller, still: Condition) -> OperationRecord:
        # Parsed outside the transaction: it reads files and takes its time.
        draft = self._draft(request, caller) if isinstance(request, CreateRequest) else None
        with self._database.write() as connection:
            still(connection)
            if draft is None:
                return self._admit_on_existing(connection, request, caller)
            assert isinstance(request, CreateRequest), "only a create has a draft"
            now, provider = self._clock.now(), self._provider
            record = admit_create(connection, request, draft, provider, caller, now)
            self._orphans.refuse_create(record.environment)
            return record

    def _draft(self, request: CreateRequest, caller: Caller) -> Draft:
        with self._database.read() as connection:
            require_request(connection, caller, request)
        return self._planner(request)

    def _admit_on_existing(
        self, connection: Connection, request: Request, caller: Caller
    ) -> OperationRecord:
        now, provider = self._clock.now(), self._provider
        match request:
            case CreateRequest():
                raise AssertionError("a create has a draft")
            case DeployRequest():
                return admit_deploy(connection, request, caller, now)
            case DestroyRequest():
                return admit_destroy(connection, request, caller, now)
            case RecoverRequest():
                return admit_recover(connection, request, caller, now)
            case StopRequest():
                return admit_stop(connection, request, caller, now)
            case StartRequest():
                return admit_start(connection, request, provider, caller, now)
            case ReplaceRequest():
                return admit_replace(connection, request, provider, caller, now)
            case DrillRequest():
                return admit_drill(connection, request, provider, caller, now)
            case _:
                assert_never(request)

    def _withdraw(self, record: OperationRecord, error: GreenroomError) -> None:
        """The engine took nothing in: no effect was made, so there is nothing to remove."""
        now = self._clock.now()
        with self._database.write() as connection:
            finish_operation(connection, record.id, failure(error), now)
            if record.kind == "create":
                undo_intents(connection, record.environment, (), now)
                delete_environment(connection, record.environment)
            if record.kind == "start":
                held = self._provider.observe(record.environment)
                undo_intents(connection, record.environment, held, now)
            if record.kind == "recover":
                failed = (EnvironmentStatus.FAILED, Verdict.NOT_VERIFIED)
                set_status(connection, record.environment, *failed)
