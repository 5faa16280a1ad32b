"""A stack's events as phases with their times (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from greenroom.app.cloud.tale import Part, is_echo, part_of
from greenroom.model.cloud_account import StackEvent
from greenroom.model.views import PhaseTime

_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


def last_operation(events: Sequence[StackEvent]) -> tuple[StackEvent, ...]:
    """The events since the last create, update or delete began, the oldest first."""
    for position in range(len(events) - 1, -1, -1):
        event = events[position]
        if event.of_stack and event.status in _BEGINNINGS:
            return tuple(events[position:])
    return tuple(events)


def phases_of(
    events: Sequence[StackEvent], machine_of: Callable[[str], str | None]
) -> tuple[PhaseTime, ...]:
    """How long each part took (the groups, the roles, one machine's boot), in the order in which
    they were done, and what failed, with the reason."""
    spans: dict[Part, tuple[datetime, datetime | None]] = {}
    failures: list[PhaseTime] = []
    for event in events:
        machine = machine_of(event.logical_id)
        part = None if event.of_stack else part_of(event.logical_id, event.type, machine)
        if part is None:
            continue
        began, ended = spans.get(part, (event.at, None))
        if event.status.endswith("_COMPLETE"):
            ended = event.at
        spans[part] = (began, ended)
        if event.status.endswith("_FAILED") and not is_echo(event.reason):
            failures.append(_failure(event, part, began))
    done = sorted(
        ((ended, began, part) for part, (began, ended) in spans.items() if ended is not None),
        key=lambda each: each[0],
    )
    phases = tuple(
        PhaseTime(
            phase=part.phase,
            machine=part.machine,
            seconds=(ended - began).total_seconds(),
            message="",
        )
        for ended, began, part in done
    )
    return (*phases, *failures)


def seconds_of(events: Sequence[StackEvent], status: str) -> float | None:
    """How long the stack took from its beginning to ``status``; None if it is not there yet."""
    of_stack = [event for event in events if event.of_stack]
    began = next((e.at for e in of_stack if e.status in _BEGINNINGS), None)
    ended = next((e.at for e in of_stack if e.status == status), None)
    return None if began is None or ended is None else (ended - began).total_seconds()


def _failure(event: StackEvent, part: Part, began: datetime) -> PhaseTime:
    return PhaseTime(
        phase=part.phase,
        machine=part.machine,
        seconds=(event.at - began).total_seconds(),
        message=f"{event.logical_id} failed: {event.reason}",
    )
