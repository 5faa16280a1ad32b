"""The control plane: what the daemon offers, composed of ledger, provider and engine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from greenroom.app.acceptance import Acceptance, Condition
from greenroom.app.cancellation import CancelFlags
from greenroom.app.caretaker import Caretaker
from greenroom.app.clock import Clock, SystemClock
from greenroom.app.create import run_create
from greenroom.app.deploy import run_deploy
from greenroom.app.destroy import run_destroy
from greenroom.app.door import (
    refused_status,
)
from greenroom.app.drill import run_drill
from greenroom.app.lookup import pick, pick_or_explain
from greenroom.app.operation import Ports, what_is_done
from greenroom.app.orphans import Orphans
from greenroom.app.planning import Planner
from greenroom.app.recover import run_recover, run_start
from greenroom.app.replace import run_replace
from greenroom.app.rights import readable_stacks, require
from greenroom.app.stop import run_stop
from greenroom.app.views import view_detail, view_environment, view_operation
from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.model.access import ITSELF, Action, Caller
from greenroom.model.events import Event
from greenroom.model.incidents import Incident
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Proof, Verdict
from greenroom.model.requests import (
    Request,
)
from greenroom.model.stack import Stack
from greenroom.model.views import (
    EnvironmentDetail,
    EnvironmentStatus,
    EnvironmentView,
    OperationView,
)
from greenroom.ports import Engine, Provider
from greenroom.store.database import Database
from greenroom.store.environments import (
    STANDING,
    EnvironmentRecord,
    find_environment,
    find_findings,
    list_environments,
    save_proof,
    set_status,
    stacks_beside,
)
from greenroom.store.events import phases_done
from greenroom.store.incidents import incidents_of, record_incident
from greenroom.store.journal import Journal
from greenroom.store.operations import (
    OperationRecord,
    find_operation,
    operations_before,
    request_cancel,
    unfinished_operations,
)

_logger = logging.getLogger(__name__)

_NOT_CANCELLED = {
    "destroy": "what is removed does not come back",
    "stop": "what has ended is booted again by a start",
}
"""The operations that go on to their end, and why."""


class ControlPlane:
    """Accepts operations, runs them, and answers what there is. Its methods block for a few
    milliseconds and may be called from any thread."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        engine: Engine,
        planner: Planner,
        proxy_port: int,
        clock: Clock | None = None,
    ) -> None:
        """``database`` is migrated. Nothing runs before ``recover``."""
        self._database = database
        self._provider = provider
        self._engine = engine
        self._proxy_port = proxy_port
        self._clock: Clock = SystemClock() if clock is None else clock
        self._journal = Journal(database)
        self._submit_listeners: list[Callable[[Request, Caller], None]] = []
        self._flags = CancelFlags()
        self._caretaker = Caretaker(
            database=database, provider=provider, clock=self._clock, submit=self.submit
        )
        self.orphans = Orphans(database=database, provider=provider)
        self._acceptance = Acceptance(
            database=database,
            provider=provider,
            engine=engine,
            planner=planner,
            orphans=self.orphans,
            clock=self._clock,
        )
        self._register()

    def recover(self) -> None:
        """Start the engine, and go on with what a crash interrupted."""
        self._engine.launch()
        with self._database.read() as connection:
            unfinished = unfinished_operations(connection)
        for record in unfinished:
            # The engine goes on by itself with what it knows. It does not know an operation that
            # was accepted when the crash came between our commit and its own.
            self._engine.start(record.kind, record.id)

    def bring_back(self) -> None:
        """Watch the environments that stand, and recover those whose machines do not run any
        more. The host was restarted, say: what was proved of them once is not true now."""
        for view in self.environments():
            name = EnvironmentName.parse(view.name)
            try:
                self._caretaker.adopt(name, "did not run when the daemon started")
            except Exception as error:
                # The others must be served all the same.
                _logger.exception("%s could not be looked at", name)
                self._doubt(name, f"could not be looked at when the daemon started: {error}")

    def adopt(self, name: EnvironmentName) -> None:
        """Watch an environment that stands, and recover it if a machine of it does not run."""
        self._caretaker.adopt(name)

    def tell_of_region(self, incident: Incident) -> None:
        """Keep what befell a part that all environments share; while it is away, what was proved
        need not be true."""
        _logger.warning("%s: %s", incident.subject, incident.message)
        with self._database.write() as connection:
            record_incident(connection, None, incident)
            if incident.away_s is None:
                _doubt_standing(connection)

    def close(self) -> None:
        """Wait for what runs, and write what is pending."""
        self._caretaker.close()
        self._engine.close()
        self._journal.close()

    def submit(
        self, request: Request, caller: Caller = ITSELF, still: Condition = lambda _: None
    ) -> OperationView:
        """Accept an operation and start it; raises InputError, or RefusedError if it cannot be
        or ``caller`` may not ask for it.

        ``still`` is called in the transaction that accepts it, and refuses by raising: whatever
        led to the request may have changed since.
        """
        record = self._acceptance.accept(request, caller, still)
        for listener in self._submit_listeners:
            listener(request, caller)
        return view_operation(record)

    def on_submit(self, listener: Callable[[Request, Caller], None]) -> None:
        """Call ``listener`` with each request that was accepted, and with whoever asked, once its
        operation has begun. It must not raise."""
        self._submit_listeners.append(listener)

    def operation(self, operation: str, caller: Caller = ITSELF) -> OperationView:
        """Where an operation stands; raises InputError E_NO_OPERATION, also of one on a stack that
        ``caller`` may not read."""
        return view_operation(self._find(operation, caller))

    def operations(
        self, caller: Caller, environment: str | None, before: int | None, limit: int
    ) -> tuple[tuple[int, OperationView], ...]:
        """The newest operations of the stacks that ``caller`` may read, or of the environment of
        that full name, the newest first, each with its place in the order of acceptance, which is
        less than ``before``."""
        with self._database.read() as connection:
            found = operations_before(
                connection, readable_stacks(caller), environment, before, limit
            )
        return tuple((place, view_operation(record)) for place, record in found)

    def events(self, operation: str, after: int = 0) -> tuple[Event, ...]:
        """The operation's events whose ``seq`` is greater than ``after``."""
        return self._journal.after(operation, after)

    def wait(self, operation: str, after: int, timeout_s: float) -> tuple[Event, ...]:
        """As ``events``, but wait up to ``timeout_s`` for at least one."""
        return self._journal.wait(operation, after, timeout_s)

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call ``listener`` with an operation's id at each of its events, from the thread that
        made the event; returns what ends that. See ``greenroom.app.follow`` for asyncio."""
        return self._journal.listen(listener)

    def listen_to_ends(self, listener: Callable[[EnvironmentName, str], None]) -> None:
        """Tell ``listener`` of every machine of a running environment that ends, by itself or
        because it is replaced; it must not block."""
        self._caretaker.listen(listener)

    def cancel(self, operation: str, caller: Caller = ITSELF) -> OperationView:
        """Ask an operation to stop; one that has ended stays as it is."""
        record = self._find(operation, caller)
        self._require(caller, Action.CANCEL, record.environment)
        if not record.status.final:
            if record.kind in _NOT_CANCELLED:
                raise RefusedError(
                    "E_NOT_CANCELLABLE",
                    f"{record.kind} {operation} of {record.environment} cannot be cancelled: "
                    f"{_NOT_CANCELLED[record.kind]}",
                    hint="wait until it has ended",
                )
            with self._database.write() as connection:
                request_cancel(connection, operation)
            self._flags.of(operation, what_is_done(record)).ask()
        return self.operation(operation, caller)

    def environments(self) -> tuple[EnvironmentView, ...]:
        """All environments, by name."""
        with self._database.read() as connection:
            records = list_environments(connection)
            running = _running(connection)
        return tuple(self._view(record, running) for record in records)

    def environment(
        self, text: str | EnvironmentName, caller: Caller = ITSELF
    ) -> EnvironmentDetail:
        """All about the environment called ``text``, of those that ``caller`` may read; raises
        InputError."""
        # The phases of the create are events, and some may still be in memory only.
        self._journal.flush()
        with self._database.read() as connection:
            record = pick_or_explain(connection, text, caller)
            phases = phases_done(connection, record.created_by)
            findings = find_findings(connection, record.name)
            summary = self._view(record, _running(connection))
            incidents = incidents_of(connection, record.name, record.created_at)
        return view_detail(record, summary, findings, phases, incidents, self._proxy_port)

    def full_name(self, text: str, caller: Caller = ITSELF) -> str:
        """The full name of the environment called ``text``, of those that ``caller`` may read;
        raises InputError E_NO_ENVIRONMENT, with how its create failed, or E_AMBIGUOUS."""
        with self._database.read() as connection:
            return str(pick_or_explain(connection, text, caller).name)

    def stack_of(self, text: str | EnvironmentName) -> Stack:
        """The Stack of the environment called ``text``; raises InputError."""
        with self._database.read() as connection:
            return pick(list_environments(connection), text).stack

    def standing_stack_of(self, text: str | EnvironmentName, what: str) -> Stack:
        """As ``stack_of``, for ``what`` needs machines; raises RefusedError E_NOT_READY if they
        were stopped. Others may have some: one can look into what failed."""
        with self._database.read() as connection:
            record = pick(list_environments(connection), text)
        if record.status in (EnvironmentStatus.STOPPING, EnvironmentStatus.STOPPED):
            raise refused_status(record, what)
        return record.stack

    def prove(self, text: str | EnvironmentName, caller: Caller = ITSELF) -> Proof:
        """Prove a running environment again, and keep what came out; raises RefusedError."""
        with self._database.read() as connection:
            record = pick(list_environments(connection), text, caller)
            production = record.stack.production
            require(caller, Action.PROVE, record.name.stack, production=production)
            reports = find_findings(connection, record.name).reports
            others = stacks_beside(connection, record.name)
        if record.status not in STANDING:
            raise refused_status(record, "proof")
        proof = self._provider.prove(record.stack, reports, others, recheck=True)
        with self._database.write() as connection:
            save_proof(connection, record, proof, self._clock.now())
        return proof

    def fail(self, name: EnvironmentName, subject: str, error: GreenroomError) -> None:
        """Something befell ``subject`` of a running environment that does not mend by itself: it
        is failed, and says why. One that just comes or goes hears of it from its operation."""
        incident = Incident(at=self._clock.now(), subject=subject, message=error.message)
        with self._database.write() as connection:
            record = find_environment(connection, name)
            if record is not None and record.status in STANDING:
                set_status(connection, name, EnvironmentStatus.FAILED, Verdict.FAILED)
                record_incident(connection, name, incident)

    def doubt_all(self, subject: str, error: GreenroomError) -> None:
        """Something befell the region: what was proved need not be true any more."""
        incident = Incident(at=self._clock.now(), subject=subject, message=error.message)
        with self._database.write() as connection:
            record_incident(connection, None, incident)
            _doubt_standing(connection)

    def _doubt(self, name: EnvironmentName, what: str) -> None:
        message = f"{what}; greenroom recover {name.slug} looks again"
        incident = Incident(at=self._clock.now(), subject=str(name), message=message)
        with self._database.write() as connection:
            record_incident(connection, name, incident)
            _doubt_standing(connection, name)

    def _register(self) -> None:
        ports = Ports(
            database=self._database,
            journal=self._journal,
            provider=self._provider,
            clock=self._clock,
            flags=self._flags,
            settled=self._caretaker.settled,
            thrown_away=self._caretaker.thrown_away,
        )
        self._engine.register("create", partial(run_create, ports))
        self._engine.register("deploy", partial(run_deploy, ports))
        self._engine.register("destroy", partial(run_destroy, ports))
        self._engine.register("recover", partial(run_recover, ports))
        self._engine.register("stop", partial(run_stop, ports))
        self._engine.register("start", partial(run_start, ports))
        self._engine.register("replace", partial(run_replace, ports))
        self._engine.register("drill", partial(run_drill, ports))

    def _find(self, operation: str, caller: Caller) -> OperationRecord:
        with self._database.read() as connection:
            record = find_operation(connection, operation)
        if record is None:
            raise _no_operation(operation)
        try:
            require(caller, Action.READ, record.environment.stack)
        except RefusedError as refused:
            raise _no_operation(operation) from refused
        return record

    def _require(self, caller: Caller, action: Action, name: EnvironmentName) -> None:
        with self._database.read() as connection:
            record = find_environment(connection, name)
        production = record is not None and record.stack.production
        require(caller, action, name.stack, production=production)

    def _view(self, record: EnvironmentRecord, running: dict[str, str]) -> EnvironmentView:
        return view_environment(record, running.get(str(record.name)), self._proxy_port)


def _no_operation(operation: str) -> InputError:
    return InputError(
        "E_NO_OPERATION",
        f"there is no operation {operation!r}",
        hint="its id begins with op- and is in greenroom audit, and in the answer that began it",
    )


def _doubt_standing(connection: Connection, only: EnvironmentName | None = None) -> None:
    """What was proved of the environments that stand, or of one of them, need not be true."""
    for record in list_environments(connection):
        if record.status in STANDING and only in (None, record.name):
            doubt = (EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
            set_status(connection, record.name, *doubt)


def _running(connection: Connection) -> dict[str, str]:
    return {str(record.environment): record.id for record in unfinished_operations(connection)}
