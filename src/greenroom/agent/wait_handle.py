"""The one word that a machine says about its boot: a PUT to its wait condition's handle.

The body is CloudFormation's («Create wait conditions in a CloudFormation template»), whose Data
may have 4,096 bytes; on AWS the handle is a presigned URL that admits an empty Content-Type only.
"""

from __future__ import annotations

import time

from .backoff import tries
from .errors import AgentError
from .fetch import FetchError, request
from .quick_json import dumps
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from .progress import Progress

DATA_BYTES = 4096
REASON_CHARACTERS = 3000


class Outcome(Value):
    """How the boot ended. ``restore`` and ``artifact`` are None where there was none."""

    success: bool
    reason: str
    restore: dict[str, object] | None = None
    artifact: dict[str, object] | None = None


def signal_body(machine: str, outcome: Outcome, progress: Progress) -> bytes:
    """What is PUT (pure)."""
    body = {
        "Status": "SUCCESS" if outcome.success else "FAILURE",
        "UniqueId": machine,
        "Reason": outcome.reason[:REASON_CHARACTERS],
        "Data": bounded_data(outcome, progress.phases, progress.notices),
    }
    return dumps(body).encode()


def bounded_data(outcome: Outcome, phases: list[tuple[str, float]], notices: list[str]) -> str:
    """The Data as JSON of at most 4,096 bytes: first the tables go, then the notices (pure)."""
    data: dict[str, object] = {
        "phases": [list(phase) for phase in phases],
        "notices": list(notices),
        "restore": _counted(outcome.restore),
        "artifact": outcome.artifact,
    }
    if _fits(data):
        return _compact(data)
    cut = "the report was too long: "
    if outcome.restore is not None:
        cut += "the list of tables was left out"
        data["restore"] = {**(_counted(outcome.restore) or {}), "tables": []}
        data["notices"] = [*notices, cut]
        if _fits(data):
            return _compact(data)
        cut += ", and "
    kept = list(notices)
    while kept and not _fits(data):
        kept.pop()
        data["notices"] = [*kept, f"{cut}{len(notices) - len(kept)} notices were left out"]
    return _compact(data)


def _counted(restore: dict[str, object] | None) -> dict[str, object] | None:
    """The report with its sums, which stay when the list of tables is too long."""
    if restore is None:
        return None
    tables = restore.get("tables")
    rows = [int(table[1]) for table in tables] if isinstance(tables, list) else []
    return {**restore, "table_count": len(rows), "row_count": sum(rows)}


def _compact(data: dict[str, object]) -> str:
    return dumps(data, separators=(",", ":"))


def _fits(data: dict[str, object]) -> bool:
    return len(_compact(data).encode()) <= DATA_BYTES


class RefusedError(AgentError):
    """The handle takes no word any more: a presigned URL answers 403 when its time is over."""


def send_signal(url: str, body: bytes, deadline: float) -> None:
    """PUT the body until it is taken; raises AgentError at the deadline (monotonic).

    A handle keeps the first word of each UniqueId, so a repeated PUT whose answer was lost is
    harmless. Raises RefusedError, at once, if asking again cannot help.
    """
    problem = ""
    for left_s in tries(deadline, first_s=0.05, longest_s=2.0):
        timeout_s = max(min(left_s, 10.0), 1.0)
        try:
            answer = request(
                "PUT", url, headers={"Content-Type": ""}, body=body, timeout_s=timeout_s
            )
        except FetchError as error:
            problem = str(error)
        else:
            if 200 <= answer.status < 300:
                return
            if answer.status == 403:
                raise RefusedError("the wait handle took no signal (403): its URL is not valid now")
            problem = f"it answered {answer.status}"
    raise AgentError(f"the signal was not taken: {problem}")


def signal_deadline(started: float, deadline_s: float) -> float:
    """Until when signalling makes sense: the boot's own deadline, but 10 s in any case."""
    return max(started + deadline_s, time.monotonic() + 10.0)
