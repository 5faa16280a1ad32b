"""How long an environment lives, and when it runs: the rules, resolved.

``plan`` puts a ``Lifetime`` into the Stack; the door and the reconciler ask it. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""By the number that ``datetime.weekday`` gives."""

TTL_S_MIN = 60.0
TTL_S_MAX = 365 * 86400.0
WARN_BEFORE_S = 3600.0
"""How long before its end an environment is warned of, unless the blueprint says otherwise; of a
short life the last quarter."""
_A_WEEK_AND_A_DAY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """When environments run. ``days`` are weekdays (0 is Monday); from ``start`` up to ``end``,
    by the clocks of ``time_zone`` (an IANA name). ``start`` is before ``end``."""

    days: tuple[int, ...]
    start: time
    end: time
    time_zone: str

    def includes(self, at: datetime) -> bool:
        """Whether it is working time at ``at`` (aware)."""
        local = at.astimezone(ZoneInfo(self.time_zone))
        return local.weekday() in self.days and self.start <= local.time() < self.end

    def next_start(self, at: datetime) -> datetime:
        """The first beginning of working time after ``at``, in UTC.

        On the day on which clocks are put forward a beginning that they leave out is taken by the
        offset before (PEP 495), which is the same instant.
        """
        zone = ZoneInfo(self.time_zone)
        today = at.astimezone(zone).date()
        for ahead in range(_A_WEEK_AND_A_DAY):
            day = today + timedelta(days=ahead)
            begins = datetime.combine(day, self.start, zone).astimezone(UTC)
            if day.weekday() in self.days and begins > at:
                return begins
        raise ValueError(f"working hours without a day: {self.days}")

    def __str__(self) -> str:
        return f"{_days_words(self.days)} {self.start:%H:%M}-{self.end:%H:%M} {self.time_zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """What holds for one environment. ``ttl_s`` None: it never expires; ``max_s`` is the most that
    a TTL or an extension may give, counted from when it is asked for; ``warn_before_s`` is how
    long before the end somebody is told. ``working_hours`` None: it runs always. ``notify`` is the
    address of a webhook, which often holds a password."""

    ttl_s: float | None
    max_s: float
    warn_before_s: float
    working_hours: WorkingHours | None = None
    notify: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What ``greenroom extend`` answers: ``stack/slug``, its end, and until when working hours
    leave it alone; either None where there is none."""

    environment: str
    expires_at: datetime | None
    awake_until: datetime | None


def end_of(lifetime: Lifetime | None, begun_at: datetime) -> datetime | None:
    """When an environment expires that begins now; None if it never does."""
    if lifetime is None or lifetime.ttl_s is None:
        return None
    return begun_at + timedelta(seconds=lifetime.ttl_s)


def awake_until(lifetime: Lifetime | None, at: datetime) -> datetime | None:
    """Until when one that somebody wants at ``at`` runs although it is no working time: until
    working time begins. None within it, and where there are no hours."""
    hours = None if lifetime is None else lifetime.working_hours
    return None if hours is None or hours.includes(at) else hours.next_start(at)


def warn_before_s(ttl_s: float) -> float:
    """How long before its end a life of ``ttl_s`` is warned of by default."""
    return min(WARN_BEFORE_S, ttl_s / 4)


def parse_days(text: str) -> tuple[int, ...]:
    """``mon-fri`` or ``mon, wed, sat-sun`` to weekdays, sorted; raises ValueError."""
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = (word.strip() for word in part.partition("-"))
        last = last or first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise ValueError(
                f"{text[:40]!r} does not name weekdays; expected such as mon-fri or mon, wed"
            )
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
        # sat-mon goes over the end of the week.
        days |= {day % len(WEEKDAYS) for day in range(begin, end + 1 + 7 * (end < begin))}
    return tuple(sorted(days))


def _days_words(days: tuple[int, ...]) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    words = (WEEKDAYS[run[0]] + (f"-{WEEKDAYS[run[-1]]}" if run[1:] else "") for run in runs)
    return ",".join(words)
