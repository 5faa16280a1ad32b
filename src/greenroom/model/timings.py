"""How long it took until something stood, was restored or stood again: one row of the past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.proof import Verdict
from greenroom.model.visits import Seen


class TimedKind(StrEnum):
    """What was timed."""

    CREATE = "create"
    RECOVER = "recover"
    REPLACE = "replace"
    DRILL = "drill"
    """With ``restore_s`` a cold restore, with ``seen`` a machine that was thrown away."""
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One row. ``machine`` None is the whole environment. ``restore_s`` is what restoring took
    this time (of a clone: the clone), ``boot_s`` from the start of a machine to its signal,
    ``total_s`` until the expected behaviour was proved, or until ``verdict`` was clear."""

    at: datetime
    operation: str
    environment: str
    stack: str
    kind: TimedKind
    machine: str | None
    restore_s: float | None
    boot_s: float | None
    total_s: float
    verdict: Verdict
    seen: Seen | None = None
