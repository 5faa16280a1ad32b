"""What a blueprint says of time: how long environments live, and at which hours they run."""

from __future__ import annotations

import re
from datetime import time
from functools import cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from greenroom.blueprint.fields import Matching, WebAddress, shown
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.part import Part
from greenroom.model.durations import PATTERN, duration_words, parse_duration_s
from greenroom.model.lifetimes import TTL_S_MAX, TTL_S_MIN, parse_days, warn_before_s

MAX_DEFAULT = "30d"
DAYS_DEFAULT = "mon-fri"


def _bounded(text: str) -> str:
    if not TTL_S_MIN <= parse_duration_s(text) <= TTL_S_MAX:
        least, most = duration_words(TTL_S_MIN), duration_words(TTL_S_MAX)
        raise ValueError(f"{shown(text)} is out of range; expected {least} to {most}")
    return text


def _days(text: str) -> str:
    parse_days(text)
    return text


def _time_of_day(text: str) -> str:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f'{shown(text)} is not a time of day; expected one such as "09:00"')
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(text: str) -> str:
    if text not in _zones():
        raise ValueError(unknown("time zone", text, _zones()))
    # What is listed can be read: nothing finds out later that it cannot.
    ZoneInfo(text)
    return text


Duration = Annotated[
    str,
    Matching(PATTERN, 18, "a duration such as 8h, 45m or 1d12h"),
    AfterValidator(_bounded),
]
TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]


class WorkingHoursSpec(Part):
    """When environments run; outside of these hours they are stopped, with their data kept."""

    days: Annotated[str, AfterValidator(_days)] = DAYS_DEFAULT
    """Weekdays, such as `mon-fri` or `mon, wed, sat-sun`."""
    start: Annotated[TimeOfDay, Field(alias="from")]
    """Time of day at which they are started, such as `"09:00"`."""
    end: Annotated[TimeOfDay, Field(alias="to")]
    """Time of day at which they are stopped; later than `from`."""
    time_zone: Annotated[str, AfterValidator(_zone)]
    """Whose clocks: the name of a time zone such as `Europe/Berlin`."""

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if time.fromisoformat(self.start) >= time.fromisoformat(self.end):
            raise ValueError(f"the hours from {self.start} to {self.end} end before they begin")
        return self


class LifetimeSpec(Part):
    """How long environments live. Production and shared environments have no end and no hours."""

    ttl: Duration | None = None
    """How long an environment lives unless `--ttl` says otherwise, such as `8h`; without it it
    never expires."""
    max: Duration = MAX_DEFAULT
    """The most that `--ttl` and `greenroom extend` may ask for."""
    warn_before: Duration | None = None
    """How long before its end an environment is warned of [default: 1h, of a short life its last
    quarter]."""
    working_hours: WorkingHoursSpec | None = None
    """When environments run [default: always]."""
    notify: WebAddress | None = None
    """Webhook that hears of a warning, as JSON by POST."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ttl is None:
            return self
        ttl_s = parse_duration_s(self.ttl)
        if ttl_s > parse_duration_s(self.max):
            raise ValueError(f"the ttl {self.ttl} is longer than max, which is {self.max}")
        if self.warn_before is not None and parse_duration_s(self.warn_before) >= ttl_s:
            raise ValueError(f"warn_before {self.warn_before} is not shorter than ttl {self.ttl}")
        return self

    def warn_before_s(self, ttl_s: float) -> float:
        """How long before its end an environment that lives for ``ttl_s`` is warned of."""
        if self.warn_before is None:
            return warn_before_s(ttl_s)
        return min(parse_duration_s(self.warn_before), ttl_s)
