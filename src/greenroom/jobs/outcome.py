"""How a step ended, as text: an engine remembers it and gives the same back after a crash.

An engine's own way to keep an exception loses our type, code and hint on the way through JSON,
and a compensation that is resumed would then report another reason than the one that began it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from greenroom.errors import (
    BugError,
    CancelledError,
    Fault,
    GreenroomError,
    HostError,
    InputError,
    NotProvedError,
    OperationError,
    RefusedError,
    UsageError,
)

_FAMILIES: dict[str, type[GreenroomError]] = {
    family.__name__: family
    for family in (
        BugError,
        CancelledError,
        GreenroomError,
        HostError,
        InputError,
        NotProvedError,
        OperationError,
        RefusedError,
        UsageError,
    )
}


def capture(step: Callable[[], str]) -> str:
    """Run the step; give its result, or the GreenroomError that it raised, as text."""
    try:
        return json.dumps({"result": step()})
    except GreenroomError as error:
        return json.dumps({"error": _describe(error)})


def release(outcome: str) -> str:
    """The result that ``capture`` kept; raises the error if it kept one."""
    kept = json.loads(outcome)
    if "error" not in kept:
        result: str = kept["result"]
        return result
    error = kept["error"]
    raise _FAMILIES[error["family"]](
        error["code"],
        error["message"],
        hint=error["hint"],
        faults=[Fault(**fault) for fault in error["faults"]],
    )


def _describe(error: GreenroomError) -> dict[str, object]:
    # A subclass that a provider defines for itself is kept as the family that it belongs to.
    family = next(base.__name__ for base in type(error).__mro__ if base.__name__ in _FAMILIES)
    return {
        "family": family,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "faults": [fault._asdict() for fault in error.faults],
    }
