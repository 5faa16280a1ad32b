"""What the ledger says, what the host holds and what time it is, to what must be done (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from greenroom.model.access import Caller
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Orphan
from greenroom.model.receipt import ResourceKind
from greenroom.model.views import EnvironmentStatus
from greenroom.store.environments import STANDING, EnvironmentRecord

RECONCILER = Caller.system("reconciler")

JUMP = timedelta(minutes=2)
"""A clock that differs by more from what has passed was set; by less it is only being slewed."""
GRACE_S = 15 * 60.0
"""So long at least a daemon has seen that an environment's end is near before it destroys it: a
daemon that was away, and its clock, may be wrong about how late it is."""
RETRY_AFTER = timedelta(hours=1)
"""Before a removal that has left something is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An environment as the ledger has it. ``busy``: an operation is at work on it;
    ``half_removed_at`` is when a removal of it ended that has left something."""

    record: EnvironmentRecord
    busy: bool = False
    half_removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the host says: machines that should run and do not, by environment, and what belongs
    to no environment."""

    lost: Mapping[EnvironmentName, tuple[str, ...]] = field(default_factory=dict)
    orphans: tuple[Orphan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """``now`` by the host's clock, ``monotonic_s`` by the one that nobody sets; ``jump`` is how
    far it was set since the last look; ``near_s`` is how long this daemon has seen each
    environment's end be near."""

    now: datetime
    monotonic_s: float = 0.0
    jump: timedelta = timedelta()
    near_s: Mapping[EnvironmentName, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftEnds:
    """The clock was set: what had an hour to live has an hour at least. It was read ``at``, and at
    ``at_s`` of the one that nobody sets."""

    jump: timedelta
    at: datetime
    at_s: float

    @property
    def later(self) -> timedelta:
        """By how much ends are shifted: never to an earlier time. A clock that is set back was
        wrong until now, as often as not, and the ends are from before that: to take from them
        what it was ahead would destroy what has hours to live."""
        return max(self.jump, timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Warn:
    """Tell that its end is near."""

    record: EnvironmentRecord
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfEnvironment:
    name: EnvironmentName


class Expire(_OfEnvironment):
    """Destroy what has come to its end."""


class FinishRemoval(_OfEnvironment):
    """Try a destroy again that has left something."""


class Sleep(_OfEnvironment):
    """Stop it: its working hours are over."""


class Wake(_OfEnvironment):
    """Start what was stopped when its working hours were over."""


class Recover(_OfEnvironment):
    """Bring back what the host has lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfOrphan:
    orphan: Orphan


class RemoveOrphan(_OfOrphan):
    """Remove what is left of an environment that is known to be gone, and in which nothing runs."""


class ReportOrphan(_OfOrphan):
    """Tell of what nobody owns. Whether somebody needs it, only a person knows."""


Action = (
    ShiftEnds | Warn | Expire | FinishRemoval | Sleep | Wake | Recover | RemoveOrphan | ReportOrphan
)


def plan_reconciliation(
    known: tuple[Known, ...], world: World, moment: Moment
) -> tuple[Action, ...]:
    """What to do, in order. After a clock was set nothing is judged by it before the next look."""
    if was_set(moment.jump):
        return (ShiftEnds(jump=moment.jump, at=moment.now, at_s=moment.monotonic_s),)
    actions: list[Action] = []
    for each in known:
        actions += _of_environment(each, world, moment)
    for orphan in world.orphans:
        runs = any(item.kind is ResourceKind.PROCESS for item in orphan.resources)
        removable = orphan.ended and not runs and orphan.environment is not None
        actions.append(RemoveOrphan(orphan=orphan) if removable else ReportOrphan(orphan=orphan))
    return tuple(actions)


def was_set(jump: timedelta) -> bool:
    """Whether a clock that differs by so much from what has passed was set."""
    return abs(jump) > JUMP


def is_near(record: EnvironmentRecord, now: datetime) -> bool:
    """Whether it is time to tell of its end."""
    if record.expires_at is None:
        return False
    return now >= record.expires_at - timedelta(seconds=_warn_before_s(record))


def _of_environment(each: Known, world: World, moment: Moment) -> Iterator[Action]:
    record, name = each.record, each.record.name
    if record.status is EnvironmentStatus.DESTROYING:
        return
    if is_near(record, moment.now) and record.warned_at is None and record.expires_at is not None:
        yield Warn(record=record, expires_at=record.expires_at)
    if each.busy:
        return
    if each.half_removed_at is not None:
        # By what has passed either way: the clock may have been set back since.
        if abs(moment.now - each.half_removed_at) >= RETRY_AFTER:
            yield FinishRemoval(name=name)
    elif _is_over(record, moment):
        yield Expire(name=name)
    elif record.status in STANDING:
        if name in world.lost:
            yield Recover(name=name)
        elif _should_sleep(record, moment.now):
            yield Sleep(name=name)
    elif _should_wake(record, moment.now):
        yield Wake(name=name)


def _is_over(record: EnvironmentRecord, moment: Moment) -> bool:
    if record.expires_at is None or moment.now < record.expires_at:
        return False
    return moment.near_s.get(record.name, 0.0) >= min(GRACE_S, _warn_before_s(record))


def _should_sleep(record: EnvironmentRecord, now: datetime) -> bool:
    hours = None if record.stack.lifetime is None else record.stack.lifetime.working_hours
    if hours is None or hours.includes(now):
        return False
    return record.awake_until is None or record.awake_until <= now


def _should_wake(record: EnvironmentRecord, now: datetime) -> bool:
    """What a person has stopped only a person starts."""
    hours = None if record.stack.lifetime is None else record.stack.lifetime.working_hours
    if hours is None or record.status is not EnvironmentStatus.STOPPED:
        return False
    over = record.expires_at is not None and record.expires_at <= now
    return record.stopped_by == RECONCILER.name and hours.includes(now) and not over


def _warn_before_s(record: EnvironmentRecord) -> float:
    lifetime = record.stack.lifetime
    return GRACE_S if lifetime is None else lifetime.warn_before_s
