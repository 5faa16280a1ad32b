"""The account's time: it runs like ours times a pace, and a test may move it forward."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_STEP_S = 0.5
"""Longest real wait before the time is looked at again; a signal or a move wakes earlier."""


class Clock:
    """``pace``: seconds of the account in one real second. ``wake`` wakes whoever waits."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self._start = datetime.now(UTC)
        self._start_s = time.monotonic()
        self._moved_s = 0.0
        self._changed = threading.Condition()

    def now_s(self) -> float:
        """Seconds since the clock was made."""
        return (time.monotonic() - self._start_s) * self.pace + self._moved_s

    def now(self) -> datetime:
        """The account's date and time, aware."""
        return self._start + timedelta(seconds=self.now_s())

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass at once."""
        with self._changed:
            self._moved_s += seconds
            self._changed.notify_all()

    def wake(self) -> None:
        """Have everybody who waits look at what they wait for."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, timeout_s: float, until: Callable[[], bool]) -> bool:
        """Whether ``until()`` became true within ``timeout_s`` seconds of the account."""
        return self.wait_till(self.now_s() + timeout_s, until)

    def wait_till(self, deadline_s: float, until: Callable[[], bool]) -> bool:
        """Whether ``until()`` became true before ``now_s`` reached ``deadline_s``."""
        with self._changed:
            while not until():
                left_s = deadline_s - self.now_s()
                if left_s <= 0:
                    return False
                self._changed.wait(min(left_s / self.pace, _STEP_S))
            return True
