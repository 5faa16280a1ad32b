"""When a schedule fires. Pure: every time is given.

Daylight saving is treated as Debian's cron does (cron(8)): a line with a fixed hour and minute
fires once on every day that it names, at the first instant after the gap if its time is skipped
and only the first time if it comes twice; a line with a star as minute or hour follows the real
time that passes.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from greenroom.model.job_words import Missed
from greenroom.model.jobs import Schedule

LATE_S = 60.0
"""A time that is noticed later than this was missed: nobody was there at it."""
SET_BACK_S = 3 * 3600.0
"""A clock that is set back less than this lets no time fire again."""


def in_zone(instant: datetime, zone: str) -> datetime:
    """The aware ``instant`` as the clocks of ``zone`` show it."""
    return instant.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))


def next_time(schedule: Schedule, after: datetime) -> datetime | None:
    """The first instant past ``after`` at which the schedule fires, in UTC; None if none does."""
    for found in CronSim(schedule.cron, in_zone(after, schedule.zone)):
        instant: datetime = found.astimezone(UTC)
        # In an hour that comes twice, the time of its first coming is found once more.
        if instant > after:
            return instant
    return None


def due_time(schedule: Schedule, seen: datetime, now: datetime) -> datetime | None:
    """The time that has come since ``seen`` and is to be run at ``now``; None if none is.

    ``seen`` is up to where the schedule was looked at before. Several times that passed unseen
    count as one: that of the last minute, if there is one, else the first that was missed.
    """
    last = None
    found = next_time(schedule, seen)
    while found is not None and found <= now:
        last = found
        # Steps over a long absence: only the newest of the missed times matters.
        found = next_time(schedule, max(found, now - timedelta(seconds=LATE_S)))
    if last is None:
        return None
    is_missed = (now - last).total_seconds() > LATE_S
    return None if is_missed and schedule.missed is Missed.SKIP else last


def looked_at(seen: datetime, now: datetime) -> datetime:
    """Up to where a schedule counts as looked at, when the clock shows ``now``: a clock that was
    set far back starts it anew, as it would else be silent until the old time comes again."""
    is_far_back = (seen - now).total_seconds() > SET_BACK_S
    return now if is_far_back else max(seen, now)


def spoken_date(text: str, now: datetime, zone: str) -> str:
    """``today`` and ``yesterday`` as dates of the zone; any other text as it is."""
    today: date = in_zone(now, zone).date()
    match text:
        case "today":
            return today.isoformat()
        case "yesterday":
            return (today - timedelta(days=1)).isoformat()
    return text
