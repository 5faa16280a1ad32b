"""From a proof to the ending of the operation that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from greenroom.app.operation import Operation
from greenroom.app.timings import timings_of_ending
from greenroom.errors import GreenroomError
from greenroom.model.events import OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Proof, Verdict
from greenroom.model.views import EnvironmentStatus, MachineReport
from greenroom.store.environments import find_findings, save_proof, save_reports, set_status
from greenroom.store.operations import Ending
from greenroom.store.timings import record_timings

_EXIT_NOT_PROVED = 3


def keep_proof(
    operation: Operation,
    reports: tuple[MachineReport, ...],
    proof: Proof,
    also: Callable[[Connection], None] = lambda _: None,
) -> None:
    """Write down what was proved, and ``also``, and end the operation with it."""
    name, now = operation.environment.name, operation.ports.clock.now()

    def write(connection: Connection) -> None:
        save_reports(connection, name, reports)
        save_proof(connection, operation.environment, proof, now)
        timed = timings_of_ending(operation, reports, proof.verdict, now)
        record_timings(connection, timed)
        also(connection)

    operation.end(ending_of(name, proof), write)


def look_again(operation: Operation) -> Callable[[Connection], None]:
    """What to write of an environment on which a deploy or a replace failed: the old code may run,
    or some of the new, so it is proved as it is now; if even that fails, nothing is verified."""
    environment, now = operation.environment, operation.ports.clock.now()
    with operation.ports.database.read() as connection:
        reports = find_findings(connection, environment.name).reports
    prove = operation.ports.provider.prove
    try:
        proof = operation.guarded(
            lambda: prove(environment.stack, reports, operation.others(), recheck=True)
        )
    except GreenroomError:
        doubt = (EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
        return lambda connection: set_status(connection, environment.name, *doubt)
    return lambda connection: save_proof(connection, environment, proof, now)


def ending_of(environment: EnvironmentName, proof: Proof) -> Ending:
    """Succeeded if the proof holds; else E_NOT_PROVED with the first reason."""
    if proof.verdict is Verdict.PROVED:
        return Ending(
            status=OperationStatus.SUCCEEDED, exit_code=0, message=f"{environment} is proved"
        )
    reason = next(_reasons(proof), "nothing was claimed")
    return Ending(
        status=OperationStatus.FAILED,
        exit_code=_EXIT_NOT_PROVED,
        code="E_NOT_PROVED",
        message=f"{environment} runs but is not proved: {reason}",
        hint=f"greenroom flows {environment} shows the proof; the environment was kept",
    )


def _reasons(proof: Proof) -> Iterator[str]:
    # What failed weighs more than what nobody could check.
    for verdict in (Verdict.FAILED, Verdict.NOT_VERIFIED):
        for claim in proof.claims:
            if claim.verdict is verdict:
                yield f"{claim.subject}: {claim.claim}: {verdict} ({claim.evidence})"
        for flow in proof.flows:
            if flow.verdict is verdict:
                declared = "declared" if flow.declared else "not declared"
                yield (
                    f"{flow.source} to {flow.target} {flow.port}/{flow.protocol} "
                    f"is {declared} and was {flow.reach}: {verdict}"
                )
