"""Bring an environment back whose machines do not run any more: after a reboot of the host, or
after a machine's end.

Nothing here takes anything away. A machine boots again from its own disk and its own volume, and
a recovery that fails leaves both as they are, for another try or for somebody who looks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from greenroom.app.create import ensure_images
from greenroom.app.operation import Operation, Ports, begin, failure
from greenroom.app.patience import prove_patiently
from greenroom.app.timings import timings_of_failure
from greenroom.app.verdict import keep_proof
from greenroom.errors import CancelledError, GreenroomError, HostError
from greenroom.model.incidents import Incident
from greenroom.model.lifetimes import awake_until
from greenroom.model.proof import Proof, Verdict
from greenroom.model.requests import RecoverRequest
from greenroom.model.views import EnvironmentStatus, MachineReport
from greenroom.ports import Steps
from greenroom.store import codec
from greenroom.store.environments import find_findings, set_status
from greenroom.store.incidents import record_incident
from greenroom.store.lifetimes import mark_started
from greenroom.store.timings import record_timings

AT_ONCE = 4
"""After a reboot all environments come back; side by side, but not so many that all are late."""

_LOOK_EVERY_S = 0.1
_slots = threading.BoundedSemaphore(AT_ONCE)


def run_recover(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Boot what does not run, prove the whole and publish it again; or say why not."""
    operation = begin(ports, operation_id, steps)
    if operation is not None:
        _run(operation, _write_down)


def run_start(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Boot what was stopped, prove the whole and publish it again; or say why not."""
    operation = begin(ports, operation_id, steps)
    if operation is None:
        return
    name, lifetime = operation.environment.name, operation.environment.stack.lifetime

    def starting(connection: Connection) -> None:
        set_status(connection, name, EnvironmentStatus.STARTING, Verdict.NOT_VERIFIED)
        mark_started(connection, name, awake_until(lifetime, ports.clock.now()))

    ports.journal.write(starting)
    _run(operation, _write_nothing)


def _run(
    operation: Operation, write: Callable[[Operation, Proof, float, Connection], None]
) -> None:
    ports = operation.ports
    began_s = ports.clock.monotonic_s()
    try:
        reports, proof = operation.guarded(lambda: _bring_back(operation))
    except GreenroomError as error:
        _end_failed(operation, error)
        return
    took_s = ports.clock.monotonic_s() - began_s
    operation.progress.notice(f"back after {took_s:.1f} s")
    keep_proof(operation, reports, proof, partial(write, operation, proof, took_s))


def _end_failed(operation: Operation, error: GreenroomError) -> None:
    fault = _fault_of_host(operation, error)
    if fault is not None:
        operation.end(failure(fault), _keep_lost(operation, fault))
        return
    ending = replace(failure(error), hint=_next_step(operation))
    operation.end(ending, _keep_failed(operation, error))


def _fault_of_host(operation: Operation, error: GreenroomError) -> HostError | None:
    """Why nothing at all can be brought back, if that is so; None if somebody has cancelled, or
    wanted a start: that is not tried again unasked."""
    recovers = isinstance(operation.record.request, RecoverRequest)
    if not recovers or isinstance(error, CancelledError):
        return None
    try:
        operation.ports.provider.require_host()
    except HostError as fault:
        return fault
    return None


def _bring_back(operation: Operation) -> tuple[tuple[MachineReport, ...], Proof]:
    provider, stack = operation.ports.provider, operation.environment.stack
    with operation.ports.database.read() as connection:
        known = find_findings(connection, operation.environment.name).reports

    def machines() -> str:
        with _slot(operation):
            fresh = provider.restart(stack, operation.progress, operation.cancel)
        return codec.dump_reports(_with_history(fresh, known))

    def prove() -> str:
        def once() -> Proof:
            operation.cancel.check()
            return provider.prove(stack, reports, operation.others(), recheck=True)

        return codec.dump_proof(prove_patiently(once, threading.Event().wait))

    def publish() -> str:
        provider.publish(stack)
        return ""

    _wait_first(operation)
    operation.phase("images", lambda: ensure_images(operation))
    reports = codec.load_reports(operation.phase("machines", machines))
    proof = codec.load_proof(operation.phase("proof", prove))
    operation.phase("publish", publish)
    return reports, proof


def _with_history(
    fresh: tuple[MachineReport, ...], known: tuple[MachineReport, ...]
) -> tuple[MachineReport, ...]:
    """What a machine restored and deployed is still what it said then: a boot from a disk that is
    there already does neither."""
    before = {report.machine: report for report in known}
    return tuple(
        replace(
            report,
            restore=before[report.machine].restore,
            artifact=report.artifact or before[report.machine].artifact,
        )
        if report.machine in before
        else report
        for report in fresh
    )


def _wait_first(operation: Operation) -> None:
    """A machine that ended again and again is given a little longer each time."""
    request = operation.record.request
    delay_s = request.delay_s if isinstance(request, RecoverRequest) else 0.0
    if isinstance(request, RecoverRequest) and request.reason:
        operation.progress.notice(request.reason)
    if delay_s:
        operation.progress.notice(f"waits {delay_s:g} s before the machine is started again")
        _wait_until(operation, partial(_is_past, time.monotonic() + delay_s))


def _is_past(end_s: float) -> bool:
    return time.monotonic() >= end_s


@contextmanager
def _slot(operation: Operation) -> Iterator[None]:
    _wait_until(operation, lambda: _slots.acquire(blocking=False))
    try:
        yield
    finally:
        _slots.release()


def _wait_until(operation: Operation, true: Callable[[], bool]) -> None:
    while not true():
        operation.cancel.check()
        time.sleep(_LOOK_EVERY_S)


def _write_down(operation: Operation, proof: Proof, took_s: float, connection: Connection) -> None:
    """How long it was away: since the machine ended, where somebody saw it end."""
    request, at = operation.record.request, operation.ports.clock.now()
    since = request.since if isinstance(request, RecoverRequest) else None
    away_s = None if since is None else (at - since).total_seconds()
    name = operation.environment.name
    message = f"runs again from its own disks, {proof.verdict}, {took_s:.1f} s after it was begun"
    incident = Incident(at=at, subject=str(name), message=message, away_s=away_s)
    record_incident(connection, name, incident)


def _write_nothing(
    operation: Operation, proof: Proof, took_s: float, connection: Connection
) -> None:
    """That it was away was meant, so it is no incident."""


def _next_step(operation: Operation) -> str:
    name = operation.environment.name
    return (
        f"its disks and its data are as they were: greenroom recover {name} tries again, "
        f"greenroom destroy {name} gives it up"
    )


def _keep_failed(operation: Operation, error: GreenroomError) -> Callable[[Connection], None]:
    name, at = operation.environment.name, operation.ports.clock.now()
    message = f"could not be brought back ({error.code}): {error.message}; {_next_step(operation)}"

    def write(connection: Connection) -> None:
        set_status(connection, name, EnvironmentStatus.FAILED, Verdict.NOT_VERIFIED)
        record_incident(connection, name, Incident(at=at, subject=str(name), message=message))
        record_timings(connection, timings_of_failure(operation, error, at))

    return write


def _keep_lost(operation: Operation, fault: HostError) -> Callable[[Connection], None]:
    """It stands in the ledger, so it is brought back as soon as the host is."""
    name, at = operation.environment.name, operation.ports.clock.now()

    def write(connection: Connection) -> None:
        set_status(connection, name, EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
        record_timings(connection, timings_of_failure(operation, fault, at))

    return write
