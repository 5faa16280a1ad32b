"""How long things took: written when an operation ends, and kept when its environment is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from greenroom.app.operation import Operation
from greenroom.errors import CancelledError, GreenroomError
from greenroom.model.proof import RestoreReport, Verdict, judge_restore
from greenroom.model.timings import TimedKind, Timing
from greenroom.model.views import MachineReport
from greenroom.store.database import Database
from greenroom.store.operations import OperationRecord
from greenroom.store.timings import newest_timings, timings_of

_WHOLE = {"create": TimedKind.CREATE, "recover": TimedKind.RECOVER, "start": TimedKind.START}
"""The operations that bring up a whole environment, and what their row is called."""


class Timings:
    """What clients ask of the past. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, stack: str | None, limit: int) -> tuple[Timing, ...]:
        """Of a stack, or of all; the newest first."""
        with self._database.read() as connection:
            return newest_timings(connection, stack, limit)

    def of_operation(self, operation: str) -> tuple[Timing, ...]:
        """What one operation took, machine by machine."""
        with self._database.read() as connection:
            return timings_of(connection, operation)


def timings_of_ending(
    operation: Operation, reports: Sequence[MachineReport], verdict: Verdict, at: datetime
) -> tuple[Timing, ...]:
    """What to keep of an operation that brought up a whole environment; nothing of others.

    A drill that a create had to make for its golden volume has a row of its own.
    """
    record = operation.record
    kind = _WHOLE.get(record.kind)
    if kind is None:
        return ()
    restores = [report.restore for report in reports if report.restore is not None]
    created = kind is TimedKind.CREATE
    whole = timing(
        record,
        at,
        kind=kind,
        total_s=seconds_between(record.created_at, at),
        boot_s=longest_boot_s(reports),
        restore_s=max(filter(None, map(restoring_s, restores)), default=None) if created else None,
        verdict=verdict,
    )
    return (*(_drills(record, restores, at) if created else ()), whole)


def timings_of_failure(
    operation: Operation, error: GreenroomError, at: datetime
) -> tuple[Timing, ...]:
    """As ``timings_of_ending``, of one that failed. What somebody stopped says nothing about how
    long it takes."""
    if isinstance(error, CancelledError):
        return ()
    return timings_of_ending(operation, (), Verdict.FAILED, at)


def timing(
    record: OperationRecord,
    at: datetime,
    *,
    kind: TimedKind,
    total_s: float,
    verdict: Verdict,
    machine: str | None = None,
    restore_s: float | None = None,
    boot_s: float | None = None,
) -> Timing:
    """A row of the operation."""
    return Timing(
        at=at,
        operation=record.id,
        environment=str(record.environment),
        stack=record.environment.stack,
        kind=kind,
        machine=machine,
        restore_s=restore_s,
        boot_s=boot_s,
        total_s=total_s,
        verdict=verdict,
    )


def longest_boot_s(reports: Sequence[MachineReport]) -> float | None:
    """The machines boot side by side: the slowest one is what was waited for."""
    boots = [p.seconds for report in reports for p in report.phases if p.phase == "boot"]
    return max(boots, default=None)


def restoring_s(restore: RestoreReport) -> float | None:
    """What a machine's restore took this time: for a clone not what its golden volume once took."""
    return cold_s(restore) if restore.clone_s is None else restore.clone_s


def cold_s(restore: RestoreReport) -> float | None:
    """What the restore from the artefact itself took, verified."""
    if restore.restore_s is None:
        return None
    return restore.restore_s + (restore.verify_s or 0.0)


def _drills(
    record: OperationRecord, restores: Sequence[RestoreReport], at: datetime
) -> Iterator[Timing]:
    for restore in restores:
        seconds = cold_s(restore)
        fresh = restore.verified_at is not None and restore.verified_at >= record.created_at
        if fresh and restore.clone_s is not None and seconds is not None and restore.source:
            yield timing(
                record,
                at,
                kind=TimedKind.DRILL,
                machine=restore.machine,
                restore_s=seconds,
                total_s=seconds,
                verdict=judge_restore(restore, empty=False)[0],
            )


def seconds_between(began: datetime, ended: datetime) -> float:
    """Never less than none: the clock may have been set back meanwhile."""
    return max(0.0, (ended - began).total_seconds())
