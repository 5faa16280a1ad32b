"""Times, amounts and states as a page says them; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from greenroom.model.access import EVERY_STACK, Caller
from greenroom.model.audit import Outcome
from greenroom.model.events import OperationStatus
from greenroom.model.inventory import Health
from greenroom.model.jobs import ExecutionStatus
from greenroom.model.proof import Verdict
from greenroom.model.tokens import TokenStatus
from greenroom.model.views import EnvironmentStatus
from greenroom.plain_text import nearest_s

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Tone(NamedTuple):
    """How a state looks: ``name`` is a class of the stylesheet, ``icon`` one of the drawings.
    Neither is ever alone: the word stands beside it."""

    name: str
    icon: str


_GOOD, _BAD, _OPEN = Tone("good", "check"), Tone("bad", "cross"), Tone("open", "question")
_MOVING, _IDLE = Tone("moving", "spin"), Tone("idle", "pause")

_TONES: dict[str, Tone] = {
    Verdict.PROVED: _GOOD,
    Verdict.FAILED: _BAD,
    Verdict.NOT_VERIFIED: _OPEN,
    EnvironmentStatus.READY: _GOOD,
    EnvironmentStatus.NOT_PROVED: _OPEN,
    EnvironmentStatus.CREATING: _MOVING,
    EnvironmentStatus.RECOVERING: _MOVING,
    EnvironmentStatus.DESTROYING: _MOVING,
    OperationStatus.QUEUED: _MOVING,
    OperationStatus.RUNNING: _MOVING,
    OperationStatus.SUCCEEDED: _GOOD,
    OperationStatus.CANCELLED: _IDLE,
    ExecutionStatus.AWAITING_APPROVAL: _OPEN,
    ExecutionStatus.INTERRUPTED: _BAD,
    ExecutionStatus.ABORTED: _IDLE,
    Health.STARTING: _MOVING,
    Health.HEALTHY: _GOOD,
    Health.UNHEALTHY: _BAD,
    Outcome.ACCEPTED: Tone("moving", "check"),
    Outcome.DONE: _GOOD,
    Outcome.REFUSED: _BAD,
    TokenStatus.GOOD: _GOOD,
}


def tone(state: str) -> Tone:
    """How a verdict, or the state of an environment or an operation, looks."""
    return _TONES.get(state, _IDLE)


def span(seconds: float) -> str:
    """A length of time in its largest unit: ``3 h``, ``12 d``."""
    whole = max(0, int(seconds))
    for unit_s, name in _UNITS:
        if whole >= unit_s:
            return f"{whole // unit_s} {name}"
    return "0 s"


def whole_span(seconds: float) -> str:
    """As ``span``, and nothing of it left out: ``1 d 12 h``."""
    parts, left = [], max(0, int(seconds))
    for unit_s, name in _UNITS:
        number, left = divmod(left, unit_s)
        parts += [f"{number} {name}"] if number else []
    return " ".join(parts) or "0 s"


def ago(moment: datetime, now: datetime) -> str:
    """``4 min ago``; a clock that was set back shows nothing of the future."""
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 5 else f"{span(seconds)} ago"


def ahead(moment: datetime, now: datetime) -> str:
    """``in 3 h``, to the nearest unit, or ``now`` for what is due."""
    seconds = (moment - now).total_seconds()
    if seconds <= 0:
        return "now"
    return f"in {span(nearest_s(seconds))}"


def clock(moment: datetime) -> str:
    """``2026-11-23 04:31:07``, in UTC, as every log has it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def thousands(number: int) -> str:
    """``1,204``."""
    return f"{number:,}"


def role_words(caller: Caller) -> str:
    """``operator of everything``, or ``developer of photos, viewer of shop``."""
    said = [
        f"{grant.role} of {'everything' if grant.stack == EVERY_STACK else grant.stack}"
        for grant in caller.grants
    ]
    return ", ".join(said) or "no role"
