"""How often somebody may do something: a bucket that fills steadily and is emptied by use."""

from __future__ import annotations

import threading
from collections import OrderedDict

from greenroom.app.clock import Clock

_KEYS_MAX = 10_000


class Rate:
    """For each key ``burst`` at once, and ``per_s`` in the long run. Safe to use from any thread.

    Of more than ten thousand keys the one that was used least recently is forgotten, so that
    nobody can fill the memory by inventing keys.
    """

    def __init__(self, clock: Clock, *, per_s: float, burst: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._lock = threading.Lock()
        # Of each key: how much is left, and the monotonic second in which that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Use one. 0.0 if it was there; else the seconds until it will be, and nothing is used."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            left, then_s = self._left.pop(key, (float(self._burst), now_s))
            left = min(float(self._burst), left + (now_s - then_s) * self._per_s)
            allowed = left >= 1.0
            self._left[key] = (left - 1.0 if allowed else left, now_s)
            if len(self._left) > _KEYS_MAX:
                self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / self._per_s
