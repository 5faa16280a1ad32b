"""Deploy a new artifact on a running environment, and prove it again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from greenroom.app.operation import Operation, Ports, begin, failure
from greenroom.app.verdict import keep_proof, look_again
from greenroom.errors import GreenroomError
from greenroom.model.proof import Proof
from greenroom.model.requests import DeployRequest
from greenroom.model.stack import Machine, Stack
from greenroom.model.views import MachineReport
from greenroom.ports import Steps
from greenroom.store import codec
from greenroom.store.environments import find_findings, save_reports


def deployable(stack: Stack, types: Collection[str]) -> tuple[Machine, ...]:
    """The machines that a deploy of these types (of all, if empty) reaches."""
    return tuple(
        machine
        for machine in stack.machines
        if machine.deploy is not None and (not types or machine.type in types)
    )


def run_deploy(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Deploy machine by machine, then prove, also after a failure."""
    operation = begin(ports, operation_id, steps)
    if operation is None:
        return
    try:
        reports, proof = operation.guarded(lambda: _deploy_and_prove(operation))
    except GreenroomError as error:
        operation.end(failure(error, _in_place(operation, error)), look_again(operation))
    else:
        keep_proof(operation, reports, proof)


def _in_place(operation: Operation, error: GreenroomError) -> str:
    """Which release each machine has after a deploy that was cancelled, or that a machine refused:
    an agent puts the former one back, or never switched. Of other errors nobody knows."""
    if error.code not in ("E_CANCELLED", "E_MACHINE_FAILED"):
        return ""
    with operation.ports.database.read() as connection:
        reports = find_findings(connection, operation.environment.name).reports
    machines: dict[str, list[str]] = {}
    for report in reports:
        if report.artifact is not None:
            release = f"{report.artifact.sha256[:12]} of {report.artifact.key}"
            machines.setdefault(release, []).append(report.machine)
    told = "; ".join(f"{release} on {', '.join(names)}" for release, names in machines.items())
    return f"; in place: release {told}" if told else ""


def _deploy_and_prove(operation: Operation) -> tuple[tuple[MachineReport, ...], Proof]:
    stack = operation.environment.stack
    with operation.ports.database.read() as connection:
        reports = find_findings(connection, operation.environment.name).reports
    for machine in deployable(stack, _types(operation)):
        if machine.mount is not None:
            message = f"its code is mounted from {machine.mount}: nothing to deploy"
            operation.progress.notice(message, machine=machine.name)
            continue
        reports = _merged(reports, _deploy(operation, machine))
        # At once: if a later machine fails, this one runs its new artifact all the same.
        save = partial(save_reports, name=operation.environment.name, reports=reports)
        operation.ports.journal.write(save)

    def prove() -> str:
        prove = operation.ports.provider.prove
        return codec.dump_proof(prove(stack, reports, operation.others(), recheck=True))

    return reports, codec.load_proof(operation.phase("proof", prove))


def _deploy(operation: Operation, machine: Machine) -> MachineReport:
    stack = operation.environment.stack

    def deploy() -> str:
        report = operation.ports.provider.deploy(
            stack, machine, operation.progress, operation.cancel
        )
        return codec.dump_reports((report,))

    def cancellable() -> str:
        operation.cancel.check()
        return operation.tell("deploy", deploy, machine.name)

    (report,) = codec.load_reports(operation.step(f"deploy {machine.name}", cancellable))
    return report


def _types(operation: Operation) -> tuple[str, ...]:
    request = operation.record.request
    return request.types if isinstance(request, DeployRequest) else ()


def _merged(reports: tuple[MachineReport, ...], new: MachineReport) -> tuple[MachineReport, ...]:
    """The reports with the new one in its machine's place; its restore is still the old one."""
    return tuple(
        replace(new, restore=new.restore or old.restore) if old.machine == new.machine else old
        for old in reports
    )
