"""The time, as a port: tests bring their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two times: one for the calendar, one for durations."""

    def now(self) -> datetime:
        """This instant, aware UTC."""

    def monotonic_s(self) -> float:
        """Seconds that never run backwards."""


class SystemClock:
    """The host's own clock."""

    def now(self) -> datetime:
        """This instant, aware UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds that never run backwards. Unlike ``time.monotonic`` they go on while the host
        sleeps (clock_gettime(2), CLOCK_BOOTTIME), so a lid that was closed is no step of the
        calendar."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
