"""Progress as a stream of small values. The terminal, the JSON log and the journal render it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    """What an event tells."""

    PHASE_STARTED = "phase-started"
    PHASE_DONE = "phase-done"
    PHASE_FAILED = "phase-failed"
    NOTICE = "notice"
    RESULT = "result"
    """The last event of an operation; ``status`` says how it ended."""


class OperationStatus(StrEnum):
    """Where an operation stands. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (self.SUCCEEDED, self.FAILED, self.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step of an operation.

    ``seq`` rises by one within an operation, and by more where a daemon died. ``phase`` is one of
    images, volumes, network, machines, before, proof, publish, deploy, destroy, compensate, on AWS
    also plan, upload, changes, roles, names, nested, resources and rollback, or, with ``machine``
    set, what is done to that machine (throw-away, replace, proof, drill) or a phase within it
    (boot, restore, deploy, services, checks, on AWS also instance and volume).
    ``seconds`` is set on PHASE_DONE. ``code`` and ``hint`` belong to an error in ``message``.
    """

    seq: int
    at: datetime
    operation: str
    kind: EventKind
    phase: str = ""
    machine: str | None = None
    message: str = ""
    seconds: float | None = None
    status: OperationStatus | None = None
    code: str | None = None
    hint: str | None = None
    exit_code: int | None = None
