"""The wish that an execution ends, and why."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum, auto


class Why(Enum):
    """Why an execution is stopped."""

    ABORT = auto()
    TIMEOUT = auto()
    CLOSING = auto()


class Stop:
    """The wish that an execution ends, and whom it concerns. The first reason counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._enders: list[Callable[[], None]] = []
        self._asked = threading.Event()
        self._reasons: set[Why] = set()
        self.why: Why | None = None
        self.by = ""

    def ask(self, why: Why, by: str = "") -> None:
        """End what runs; waits until it is gone."""
        with self._lock:
            if self.why is None:
                self.why, self.by = why, by
            self._reasons.add(why)
            enders = tuple(self._enders)
        self._asked.set()
        for end in enders:
            end()

    def was_asked(self, why: Why) -> bool:
        """Whether the wish came for that reason, as the first or later."""
        return why in self._reasons

    def attach(self, end: Callable[[], None]) -> None:
        """Call ``end`` when the wish comes; at once if it is there."""
        with self._lock:
            self._enders.append(end)
            is_asked = self.why is not None
        if is_asked:
            end()

    def wait(self, timeout_s: float) -> bool:
        """Whether the wish came within ``timeout_s``."""
        return self._asked.wait(timeout_s)
