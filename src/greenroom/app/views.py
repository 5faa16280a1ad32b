"""From the ledger's records to what clients see."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from greenroom.model.events import Event
from greenroom.model.incidents import Incident
from greenroom.model.stack import Machine, Stack
from greenroom.model.views import (
    Artifact,
    EnvironmentDetail,
    EnvironmentView,
    MachineReport,
    MachineView,
    OperationView,
    PhaseTime,
)
from greenroom.store.environments import STANDING, EnvironmentRecord, Findings
from greenroom.store.operations import OperationRecord


def view_operation(record: OperationRecord) -> OperationView:
    """An operation as clients see it."""
    return OperationView(
        id=record.id,
        kind=record.kind,
        environment=str(record.environment),
        status=record.status,
        created_at=record.created_at,
        ended_at=record.ended_at,
        receipt=record.receipt,
    )


def view_environment(
    record: EnvironmentRecord, operation: str | None, proxy_port: int
) -> EnvironmentView:
    """One line of the list; ``operation`` is the one that runs on it."""
    urls = urls_of(record.stack, proxy_port)
    return EnvironmentView(
        name=str(record.name),
        branch=record.stack.branch,
        status=record.status,
        production=record.stack.production,
        shared=record.stack.shared,
        verdict=record.verdict,
        url=urls[0] if urls and record.status in STANDING else None,
        machines=tuple(machine.name for machine in record.stack.machines),
        instance_types=tuple(machine.instance_type for machine in record.stack.machines),
        created_at=record.created_at,
        operation=operation,
        owner=record.owner,
        expires_at=record.expires_at,
        warned_at=record.warned_at,
        stopped_at=record.stopped_at,
    )


def view_detail(
    record: EnvironmentRecord,
    summary: EnvironmentView,
    findings: Findings,
    phases: Iterable[Event],
    incidents: tuple[Incident, ...],
    proxy_port: int,
) -> EnvironmentDetail:
    """All of an environment; ``phases`` are the finished ones of the operation that created it."""
    reports = findings.reports
    artifacts = {report.machine: report.artifact for report in reports}
    return EnvironmentDetail(
        summary=summary,
        machines=tuple(_machine(m, artifacts.get(m.name)) for m in record.stack.machines),
        urls=urls_of(record.stack, proxy_port),
        phases=(*_own_phases(phases), *_machine_phases(reports)),
        restores=tuple(report.restore for report in reports if report.restore is not None),
        proof=findings.proof,
        create_s=_seconds_between(record.created_at, record.ready_at),
        incidents=incidents,
    )


def _seconds_between(began: datetime, ended: datetime | None) -> float | None:
    """None if it has not ended, or if the clock was set back meanwhile."""
    return None if ended is None or ended < began else (ended - began).total_seconds()


def urls_of(stack: Stack, proxy_port: int) -> tuple[str, ...]:
    """Where the endpoints answer on this host, each once, in the machines' order."""
    hosts = [m.endpoint.local_host for m in stack.machines if m.endpoint is not None]
    return tuple(f"http://{host}:{proxy_port}" for host in dict.fromkeys(hosts))


def _own_phases(events: Iterable[Event]) -> tuple[PhaseTime, ...]:
    # A phase that a restart ran again is told twice: what counts is the run that came through.
    last = {event.phase: event for event in events}
    return tuple(
        PhaseTime(
            phase=event.phase, machine=None, seconds=event.seconds or 0.0, message=event.message
        )
        for event in last.values()
    )


def _machine_phases(reports: Iterable[MachineReport]) -> tuple[PhaseTime, ...]:
    return tuple(phase for report in reports for phase in report.phases)


def _machine(machine: Machine, artifact: Artifact | None) -> MachineView:
    return MachineView(
        name=machine.name,
        type=machine.type,
        role=machine.role,
        instance_id=machine.instance_id,
        instance_type=machine.instance_type,
        image=machine.image,
        address=str(machine.address),
        private_dns=machine.private_dns,
        groups=machine.groups,
        tags=machine.tags,
        artifact=artifact,
    )
