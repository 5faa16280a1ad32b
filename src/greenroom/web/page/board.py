"""An operation as a picture: who did what, from when to when; pure.

Each machine is a lane, the environment itself is the first one. Times are seconds since the first
event; bars are shares of the whole, in tenths of a percent, so that a template only places them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from greenroom.model.events import Event, EventKind

_SHORTEST_S = 1.0
"""A board is at least this wide, so that the first moments do not fill it."""
_BAR_MIN = 4
"""Tenths of a percent: what is done at once must be seen all the same."""

_WORDS = {
    "images": "images",
    "network": "network and firewall",
    "volumes": "data volumes",
    "machines": "machines",
    "proof": "proof",
    "publish": "addresses",
    "boot": "boot",
    "restore": "restore",
    "deploy": "deploy",
    "services": "services",
    "checks": "checks",
    "destroy": "removal",
    "compensate": "taking it back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A phase. ``state`` is ``done``, ``failed``, ``running``, or ``stopped`` where the operation
    ended over it. ``seconds`` is what the phase's end told, or else the time between its events;
    ``left`` and ``width`` are tenths of a percent of the board."""

    name: str
    state: str
    seconds: float
    left: int
    width: int
    message: str

    @property
    def x(self) -> str:
        """Where the bar begins, as SVG has it."""
        return f"{self.left / 10:.1f}%"

    @property
    def extent(self) -> str:
        """How long the bar is, as SVG has it."""
        return f"{self.width / 10:.1f}%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What happened on one machine, or (``machine`` None) on the whole environment."""

    machine: str | None
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something said along the way; ``bad`` if it is why something failed."""

    at_s: float
    machine: str | None
    message: str
    bad: bool
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All of it. ``result`` is the last event, once there is one."""

    lanes: tuple[Lane, ...]
    notes: tuple[Note, ...]
    seconds: float
    result: Event | None
    seq: int


@dataclass(slots=True)
class _Phase:
    name: str
    began_s: float
    ended_s: float | None = None
    state: str = "running"
    message: str = ""
    took_s: float | None = None
    """What its end told; None until then, or if it told nothing."""
    told_late: bool = False
    """Only its end was told: a machine says what it did when it is up."""


@dataclass(slots=True)
class _Tally:
    lanes: dict[str | None, list[_Phase]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def board_of(events: Sequence[Event], now: datetime) -> Board:
    """What the events so far show; ``now`` is where the bars of what runs end."""
    if not events:
        return Board(lanes=(), notes=(), seconds=0.0, result=None, seq=0)
    began = events[0].at
    result = events[-1] if events[-1].kind is EventKind.RESULT else None
    until = now if result is None else result.at
    # The clock may have been set back meanwhile.
    seconds = max(0.0, (until - began).total_seconds())
    tally = _Tally()
    for event in events:
        _take(tally, event, max(0.0, (event.at - began).total_seconds()))
    if result is not None:
        _stop_what_runs(tally, seconds)
    for phases in tally.lanes.values():
        _lay_behind_each_other(phases)
    full_s = max(seconds, _SHORTEST_S)
    lanes = tuple(
        Lane(machine=machine, bars=tuple(_bar(phase, seconds, full_s) for phase in phases))
        for machine, phases in sorted(tally.lanes.items(), key=_lane_order)
    )
    return Board(
        lanes=lanes,
        notes=tuple(tally.notes),
        seconds=seconds,
        result=result,
        seq=events[-1].seq,
    )


def _take(tally: _Tally, event: Event, at_s: float) -> None:
    match event.kind:
        case EventKind.PHASE_STARTED:
            phases = tally.lanes.setdefault(event.machine, [])
            phases.append(_Phase(name=event.phase, began_s=at_s))
        case EventKind.PHASE_DONE:
            _end(tally, event, at_s, "done")
        case EventKind.PHASE_FAILED:
            _end(tally, event, at_s, "failed")
            tally.notes.append(_note(event, at_s, bad=True))
        case EventKind.NOTICE:
            tally.notes.append(_note(event, at_s, bad=False))
        case EventKind.RESULT:
            pass


def _end(tally: _Tally, event: Event, at_s: float, state: str) -> None:
    """A phase ends; of one whose begin nobody told, the begin follows from how long it took."""
    phases = tally.lanes.setdefault(event.machine, [])
    running = (p for p in reversed(phases) if p.name == event.phase and p.ended_s is None)
    phase = next(running, None)
    if phase is not None and phase.name != "boot" and _boots(phases):
        # That it lasted was told, but its end is told with all others, in their order.
        phases.remove(phase)
        phase = None
    if phase is None:
        began_s = max(0.0, at_s - (event.seconds or 0.0))
        phase = _Phase(name=event.phase, began_s=began_s, told_late=True)
        phases.append(phase)
    phase.ended_s, phase.state, phase.message = at_s, state, event.message
    phase.took_s = event.seconds
    if event.seconds is not None:
        phase.ended_s = min(at_s, phase.began_s + event.seconds)


def _boots(phases: Sequence[_Phase]) -> bool:
    """Whether the lane's machine is booting."""
    return any(phase.name == "boot" and phase.ended_s is None for phase in phases)


def _stop_what_runs(tally: _Tally, seconds: float) -> None:
    """What a machine was doing when something failed has no end of its own."""
    every = [phase for phases in tally.lanes.values() for phase in phases]
    failures = [phase.ended_s for phase in every if phase.state == "failed"]
    for phase in every:
        if phase.ended_s is None:
            after = [at_s for at_s in failures if at_s is not None and at_s >= phase.began_s]
            phase.ended_s, phase.state = min(after, default=seconds), "stopped"


def _lay_behind_each_other(phases: list[_Phase]) -> None:
    """Phases whose ends were told together were done one after the other, the last one just
    before; none ended later than it was told."""
    next_s = inf
    for phase in reversed(phases):
        if phase.told_late and phase.ended_s is not None:
            phase.ended_s = min(phase.ended_s, next_s)
            phase.began_s = max(0.0, phase.ended_s - (phase.took_s or 0.0))
            next_s = phase.began_s


def _note(event: Event, at_s: float, *, bad: bool) -> Note:
    return Note(
        at_s=at_s, machine=event.machine, message=event.message, bad=bad, hint=event.hint or ""
    )


def _bar(phase: _Phase, seconds: float, full_s: float) -> Bar:
    ended_s = seconds if phase.ended_s is None else phase.ended_s
    lasted_s = max(0.0, ended_s - phase.began_s)
    left = min(round(1000 * phase.began_s / full_s), 1000 - _BAR_MIN)
    width = max(_BAR_MIN, round(1000 * lasted_s / full_s))
    return Bar(
        name=_WORDS.get(phase.name, phase.name),
        state=phase.state,
        seconds=lasted_s if phase.took_s is None else phase.took_s,
        left=left,
        width=min(width, 1000 - left),
        message=phase.message,
    )


def _lane_order(lane: tuple[str | None, Iterable[_Phase]]) -> tuple[bool, str]:
    return (lane[0] is not None, lane[0] or "")
