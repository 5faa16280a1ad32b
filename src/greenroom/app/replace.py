"""Throw machines away and boot them anew, one after the other, and prove the whole each time.

A machine that is thrown away is gone: the way back is another boot. So what fails or is cancelled
while a machine is away ends with that machine booted once more; if even that fails, the
environment is *failed* and says why.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from greenroom.app.cancellation import NeverCancelled
from greenroom.app.create import ensure_images
from greenroom.app.operation import Operation, Ports, begin, failure
from greenroom.app.patience import prove_patiently
from greenroom.app.replaceable import chosen
from greenroom.app.timings import longest_boot_s, seconds_between, timing
from greenroom.app.verdict import keep_proof, look_again
from greenroom.app.visitor import Visitor
from greenroom.errors import BugError, CancelledError, GreenroomError
from greenroom.model.incidents import Incident
from greenroom.model.proof import Proof, Verdict, differences
from greenroom.model.requests import DrillRequest, ReplaceRequest
from greenroom.model.stack import Machine
from greenroom.model.timings import TimedKind, Timing
from greenroom.model.views import EnvironmentStatus
from greenroom.model.visits import Seen
from greenroom.ports import Cancellation, Steps
from greenroom.store import codec
from greenroom.store.environments import find_findings, save_reports, set_status
from greenroom.store.incidents import record_incident
from greenroom.store.timings import record_timings

_TOLD_MAX = 3


def run_replace(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Replace the machines that the request names."""
    operation = begin(ports, operation_id, steps)
    if operation is not None:
        replace_machines(operation, TimedKind.REPLACE)


def replace_machines(operation: Operation, kind: TimedKind) -> None:
    """Replace them and end the operation; a drill has a client read the endpoints meanwhile."""
    name = operation.environment.name
    # What was proved does not hold while a machine is away.
    away = (EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
    operation.ports.journal.write(lambda connection: set_status(connection, name, *away))
    run = _Run(operation, kind)
    try:
        proof = operation.guarded(run.through)
    except GreenroomError as error:
        run.end_failed(error)
    else:
        keep_proof(operation, run.reports, proof, run.write_down)


class _Run:
    """One run of a replace; after a crash another one finds the finished steps done."""

    def __init__(self, operation: Operation, kind: TimedKind) -> None:
        self._operation = operation
        self._kind = kind
        self._stack = operation.environment.stack
        with operation.ports.database.read() as connection:
            self.reports = find_findings(connection, operation.environment.name).reports
        self._rows: list[Timing] = []
        self._booted_again = ""
        self._lost: GreenroomError | None = None

    def through(self) -> Proof:
        """All machines; the last proof."""
        operation, machines = self._operation, self._machines()
        before = codec.load_proof(operation.phase("before", lambda: self._prove(patient=False)))
        if before.verdict is not Verdict.PROVED:
            operation.progress.notice(f"before anything is replaced it is {before.verdict}")
        operation.phase("images", lambda: ensure_images(operation))
        proof = before
        for number, machine in enumerate(machines):
            proof = self._replace(machine)
            rest = machines[number + 1 :]
            if rest and before.verdict is Verdict.PROVED is not proof.verdict:
                names = ", ".join(machine.name for machine in rest)
                operation.progress.notice(f"it is {proof.verdict}: {names} stay as they are")
                break
        operation.phase("publish", self._publish)
        operation.progress.notice(_compared(before, proof))
        return proof

    def write_down(self, connection: Connection) -> None:
        """What each machine took."""
        record_timings(connection, self._rows)

    def end_failed(self, error: GreenroomError) -> None:
        """The machines that are up are proved as they are; one that is lost fails the whole."""
        operation, lost = self._operation, self._lost
        if lost is None:
            write = look_again(operation)
            ending = failure(error, self._booted_again)
        else:
            write = self._keep_failed(lost)
            addition = f"; booting it once more failed too: {lost.message}"
            ending = replace(failure(error, addition), hint=self._next_step())

        def both(connection: Connection) -> None:
            write(connection)
            self.write_down(connection)

        operation.end(ending, both)

    def _machines(self) -> tuple[Machine, ...]:
        request = self._operation.record.request
        if not isinstance(request, ReplaceRequest | DrillRequest):
            raise BugError("E_BUG", f"{request!r} names no machines")
        return chosen(self._stack, request)

    def _replace(self, machine: Machine) -> Proof:
        """One machine: away, back, and as expected again."""
        step, name = self._operation.step, machine.name
        with ExitStack() as undo:
            visitor = self._visitor(undo) if self._kind is TimedKind.DRILL else None
            thrown_at = self._away(machine)
            self._boot(machine, datetime.fromisoformat(thrown_at))
            proved = step(f"proof {name}", partial(self._prove_again, machine, thrown_at))
            at, proof = _unstamped(proved)
            seen = None if visitor is None else self._seen(machine, visitor, thrown_at)
        boot_s = longest_boot_s([r for r in self.reports if r.machine == name])
        row = self._row(machine, datetime.fromisoformat(thrown_at), at, proof.verdict)
        self._rows.append(replace(row, boot_s=boot_s, seen=seen))
        return proof

    def _away(self, machine: Machine) -> str:
        """Throw it away, and say when. A cancel finds it whole; what prevents it else is raised
        when it has been booted once more, or is lost."""
        began = self._operation.ports.clock.now()
        try:
            return self._operation.step(
                f"throw away {machine.name}", partial(self._throw_away, machine)
            )
        except CancelledError:
            raise
        except GreenroomError as error:
            self._boot_once_more(machine, began, error)
            raise

    def _throw_away(self, machine: Machine) -> str:
        operation = self._operation
        if machine.name not in operation.ports.provider.lost(self._stack):
            # Else a crash has left it half thrown away, and only the way forward leads back.
            operation.cancel.check()
        at = operation.ports.clock.now()
        if machine.mount is not None:
            message = f"its code stays mounted from {machine.mount}"
            operation.progress.notice(message, machine.name)
        self._end(machine)
        return at.isoformat()

    def _end(self, machine: Machine) -> None:
        operation = self._operation
        throw_away = operation.ports.provider.throw_away
        operation.tell("throw-away", lambda: throw_away(self._stack, machine), machine.name)
        operation.ports.thrown_away(self._stack.environment, machine.name)

    def _boot(self, machine: Machine, thrown_at: datetime) -> None:
        """Boot it; what prevents that is raised when it has been booted once more, or is lost."""
        operation = self._operation
        boot = partial(self._boot_anew, machine, operation.cancel)
        try:
            self._keep(operation.step(f"boot {machine.name}", boot))
        except GreenroomError as error:
            self._boot_once_more(machine, thrown_at, error)
            raise

    def _boot_once_more(
        self, machine: Machine, away_since: datetime, error: GreenroomError
    ) -> None:
        """Bring back what ``error`` has left away; raises it if even that fails."""
        operation = self._operation
        again = partial(self._throw_away_and_boot, machine)
        try:
            self._keep(operation.step(f"compensate {machine.name}", again))
        except GreenroomError as second:
            now = operation.ports.clock.now()
            self._rows.append(self._row(machine, away_since, now, Verdict.FAILED))
            self._lost = second
            raise error from second
        self._booted_again = f"; {machine.name} was booted once more, and runs"

    def _boot_anew(self, machine: Machine, cancel: Cancellation) -> str:
        operation = self._operation
        boot = operation.ports.provider.boot_anew
        # Once more: a crash may have come between the end of the old one and a look at it.
        operation.ports.thrown_away(self._stack.environment, machine.name)

        def work() -> str:
            report = boot(self._stack, machine, operation.progress, cancel)
            return codec.dump_reports((report,))

        return operation.tell("replace", work, machine.name)

    def _throw_away_and_boot(self, machine: Machine) -> str:
        operation = self._operation
        operation.progress.notice("boots once more", machine.name)
        self._end(machine)
        return self._boot_anew(machine, NeverCancelled())

    def _keep(self, dumped: str) -> None:
        """Take up a machine's report; it restored nothing, so what its volume holds is still what
        was said of it before."""
        (fresh,) = codec.load_reports(dumped)
        self.reports = tuple(
            replace(fresh, restore=old.restore) if old.machine == fresh.machine else old
            for old in self.reports
        )
        name, reports = self._operation.environment.name, self.reports
        self._operation.ports.journal.write(lambda c: save_reports(c, name, reports))

    def _prove_again(self, machine: Machine, thrown_at: str) -> str:
        operation = self._operation
        proof = operation.tell("proof", partial(self._prove, patient=True), machine.name)
        at, verdict = operation.ports.clock.now(), codec.load_proof(proof).verdict
        seconds = seconds_between(datetime.fromisoformat(thrown_at), at)
        expected = "as expected again" if verdict is Verdict.PROVED else str(verdict)
        message = f"{expected} {seconds:.2f} s after it was thrown away"
        operation.progress.notice(message, machine.name)
        return _stamped(at, proof)

    def _prove(self, *, patient: bool) -> str:
        operation = self._operation

        def once() -> Proof:
            operation.cancel.check()
            prove = operation.ports.provider.prove
            return prove(self._stack, self.reports, operation.others(), recheck=True)

        # What leans on the machine, such as a balancer, has to notice first that it is back.
        wait = threading.Event().wait
        return codec.dump_proof(prove_patiently(once, wait) if patient else once())

    def _publish(self) -> str:
        self._operation.ports.provider.publish(self._stack)
        return ""

    def _visitor(self, undo: ExitStack) -> Visitor:
        """Start a client for each endpoint; it leaves whatever happens."""
        visit = self._operation.ports.provider.visit
        served = [machine for machine in self._stack.machines if machine.endpoint is not None]
        visits = [partial(visit, self._stack, machine) for machine in served]
        visitor = Visitor(visits, self._operation.ports.clock)
        undo.callback(visitor.leave)
        visitor.arrive()
        return visitor

    def _seen(self, machine: Machine, visitor: Visitor, thrown_at: str) -> Seen:
        """What the client saw, durable: another run's client has seen less."""

        def leave() -> str:
            visitor.settle()
            whole = visitor.since <= datetime.fromisoformat(thrown_at)
            return codec.dump_seen(replace(visitor.leave(), whole=whole))

        return codec.load_seen(self._operation.step(f"seen {machine.name}", leave))

    def _row(self, machine: Machine, began: datetime, at: datetime, verdict: Verdict) -> Timing:
        return timing(
            self._operation.record,
            at,
            kind=self._kind,
            machine=machine.name,
            total_s=seconds_between(began, at),
            verdict=verdict,
        )

    def _next_step(self) -> str:
        name = self._operation.environment.name
        return (
            f"greenroom logs {name} may say why; greenroom replace {name} MACHINE tries again, "
            f"greenroom destroy {name} gives it up"
        )

    def _keep_failed(self, lost: GreenroomError) -> Callable[[Connection], None]:
        name, at = self._operation.environment.name, self._operation.ports.clock.now()
        message = f"a machine did not come back ({lost.code}): {lost.message}; {self._next_step()}"

        def write(connection: Connection) -> None:
            set_status(connection, name, EnvironmentStatus.FAILED, Verdict.NOT_VERIFIED)
            record_incident(connection, name, Incident(at=at, subject=str(name), message=message))

        return write


def _stamped(at: datetime, proof: str) -> str:
    return json.dumps({"at": at.isoformat(), "proof": proof})


def _unstamped(text: str) -> tuple[datetime, Proof]:
    value = json.loads(text)
    return datetime.fromisoformat(value["at"]), codec.load_proof(value["proof"])


def _compared(before: Proof, after: Proof) -> str:
    """``the same proof as before: 9 claims, 120 flows``, or the first things that differ."""
    found: Sequence[str] = differences(before, after)
    if not found:
        return f"the same proof as before: {len(after.claims)} claims, {len(after.flows)} flows"
    more = len(found) - _TOLD_MAX
    listed = "; ".join(found[:_TOLD_MAX]) + (f"; and {more} more" if more > 0 else "")
    return f"what differs from the proof before: {listed}"
