"""Drills on demand: does what we would need in an emergency work today?

Either every data source is restored from its artefact, cold, in a machine of its own beside the
environment, which notices nothing of it; or each stateless machine is thrown away in turn while a
client reads the endpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from greenroom.app.create import ensure_images
from greenroom.app.operation import Operation, Ports, begin, failure
from greenroom.app.replace import replace_machines
from greenroom.app.replaceable import replaces
from greenroom.app.timings import cold_s, longest_boot_s, seconds_between, timing
from greenroom.errors import CancelledError, GreenroomError, NotProvedError
from greenroom.model.events import OperationStatus
from greenroom.model.proof import Verdict, judge_restore
from greenroom.model.stack import Machine, RestoreMode, Stack
from greenroom.model.timings import TimedKind, Timing
from greenroom.model.views import MachineReport, PhaseTime
from greenroom.ports import Steps
from greenroom.store import codec
from greenroom.store.operations import Ending
from greenroom.store.timings import record_timings

_WHOLE = "drill"


def restorable(stack: Stack) -> tuple[Machine, ...]:
    """The drills of the Stack that restore something: an empty volume has no artefact."""
    return tuple(
        drill
        for drill in stack.drills
        if drill.volume is not None and drill.volume.mode is not RestoreMode.EMPTY
    )


def run_drill(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Throw machines away, or restore; whichever the request says."""
    operation = begin(ports, operation_id, steps)
    if operation is None:
        return
    request = operation.record.request
    if replaces(request):
        replace_machines(operation, TimedKind.DRILL)
    else:
        _restore_all(operation)


def _restore_all(operation: Operation) -> None:
    rows: list[Timing] = []
    try:
        operation.guarded(partial(_restore_each, operation, rows))
    except GreenroomError as error:
        ending = failure(error)
    else:
        ending = _ending(operation, rows)
    operation.end(ending, lambda connection: record_timings(connection, rows))


def _restore_each(operation: Operation, rows: list[Timing]) -> None:
    """``rows`` takes up each drill that has ended, also the one that failed."""
    operation.phase("images", lambda: ensure_images(operation))
    for drill in restorable(operation.environment.stack):
        try:
            (report,) = codec.load_reports(
                operation.step(f"drill {drill.name}", partial(_restore, operation, drill))
            )
        except GreenroomError as error:
            rows.extend(_failed(operation, drill, error))
            raise
        rows.append(_row(operation, report))


def _restore(operation: Operation, drill: Machine) -> str:
    """Restore cold; the report's last phase is the whole of it."""
    ports, stack = operation.ports, operation.environment.stack
    began_s = ports.clock.monotonic_s()

    def work() -> MachineReport:
        # A cancel is the provider's to meet: the machine of a daemon that died may be there.
        return ports.provider.drill(stack, drill, operation.progress, operation.cancel)

    report = operation.tell("drill", work, drill.name)
    operation.progress.notice(_judged(report)[1], drill.name)
    whole = PhaseTime(
        phase=_WHOLE, machine=drill.name, seconds=ports.clock.monotonic_s() - began_s, message=""
    )
    return codec.dump_reports((replace(report, phases=(*report.phases, whole)),))


def _judged(report: MachineReport) -> tuple[Verdict, str]:
    return judge_restore(report.restore, empty=False)


def _row(operation: Operation, report: MachineReport) -> Timing:
    return timing(
        operation.record,
        operation.ports.clock.now(),
        kind=TimedKind.DRILL,
        machine=report.machine,
        restore_s=None if report.restore is None else cold_s(report.restore),
        boot_s=longest_boot_s([report]),
        total_s=next(p.seconds for p in report.phases if p.phase == _WHOLE),
        verdict=_judged(report)[0],
    )


def _failed(operation: Operation, drill: Machine, error: GreenroomError) -> tuple[Timing, ...]:
    """That it failed is what the past should show; that somebody stopped it is not."""
    if isinstance(error, CancelledError):
        return ()
    now = operation.ports.clock.now()
    total_s = seconds_between(operation.record.created_at, now)
    kind, verdict = TimedKind.DRILL, Verdict.FAILED
    record = operation.record
    row = timing(record, now, kind=kind, machine=drill.name, total_s=total_s, verdict=verdict)
    return (row,)


def _ending(operation: Operation, rows: Sequence[Timing]) -> Ending:
    name = operation.environment.name
    doubtful = [str(row.machine) for row in rows if row.verdict is not Verdict.PROVED]
    if doubtful:
        message = f"{name}: what {', '.join(doubtful)} restored was not verified"
        return failure(NotProvedError("E_NOT_PROVED", message))
    names = ", ".join(str(row.machine) for row in rows)
    message = f"{name}: restored cold and verified by {names}"
    return Ending(status=OperationStatus.SUCCEEDED, exit_code=0, message=message)
