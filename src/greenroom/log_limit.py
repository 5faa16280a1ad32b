"""A bound on what others can make the daemon write into its log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

BURST = 20
EVERY_S = 60.0


class LogLimit(logging.Filter):
    """Lets a few records of one kind through at once and then one a minute, which tells how many
    were left out. A kind is a level and a message before its values are put in, so who causes
    them cannot make new ones. Thread-safe.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._kinds: dict[tuple[int, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; what was left out is added to it."""
        now_s = self._monotonic_s()
        with self._lock:
            kind = self._kinds.setdefault((record.levelno, str(record.msg)), _Kind(now_s))
            left_out = kind.take(now_s)
        if left_out is None:
            return False
        if left_out:
            record.msg = f"{record.getMessage()} ({left_out} more like this were left out)"
            record.args = None
        return True


class _Kind:
    """What is left of the burst, when it last grew, and what was left out meanwhile."""

    def __init__(self, now_s: float) -> None:
        self._left = float(BURST)
        self._since_s = now_s
        self._left_out = 0

    def take(self, now_s: float) -> int | None:
        """The records left out before this one; None if it is to be left out too."""
        self._left = min(BURST, self._left + (now_s - self._since_s) / EVERY_S)
        self._since_s = now_s
        if self._left < 1:
            self._left_out += 1
            return None
        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out
