"""A client that reads endpoints while something is done to their environment, and counts.

It reads at a bounded rate: what it costs the environment is known, and what it sees can be
compared from one drill to the next.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from greenroom.app.clock import Clock
from greenroom.model.visits import Answer, Seen

READERS = 4
"""Per endpoint, each with one request at a time: one that hangs does not blind the others."""
PERIOD_S = 0.2
"""From the begin of a reader's request to that of its next: 20 a second at the most."""
SETTLE_S = 10.0
_LOOK_EVERY_S = 0.01

Visit = Callable[[], Answer]


@dataclass(slots=True)
class _Tally:
    """What was seen of one endpoint; times are monotonic seconds."""

    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_s: float | None = None
    last_good_s: float | None = None
    longest_gap_s: float | None = None
    slowest_s: float | None = None


class Visitor:
    """Reads until ``leave``. Each of ``visits`` reads one endpoint."""

    def __init__(self, visits: Sequence[Visit], clock: Clock) -> None:
        self._clock = clock
        self.since = clock.now()
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._tallies = [_Tally() for _ in visits]
        self._threads = [
            threading.Thread(
                target=self._read,
                args=(visit, tally, number * PERIOD_S / READERS),
                name=f"visitor-{number}",
                daemon=True,
            )
            for visit, tally in zip(visits, self._tallies, strict=True)
            for number in range(READERS)
        ]
        for thread in self._threads:
            thread.start()

    def arrive(self) -> None:
        """Wait until each endpoint has given an answer, good or not."""
        self._wait(lambda tally: tally.requests > 0)

    def settle(self) -> None:
        """Wait until each endpoint has given another good answer, for a bounded time."""
        began_s = self._clock.monotonic_s()
        self._wait(lambda tally: tally.last_good_s is not None and tally.last_good_s > began_s)

    def leave(self) -> Seen:
        """End, and say what was seen."""
        self._left.set()
        # Taken first: the last requests may yet wait for an answer that does not come.
        now_s = self._clock.monotonic_s()
        for thread in self._threads:
            thread.join()
        errors: Counter[str] = Counter()
        for tally in self._tallies:
            errors.update(tally.errors)
        gaps = [gap for tally in self._tallies if (gap := _gap_s(tally, now_s)) is not None]
        slowest = [t.slowest_s for t in self._tallies if t.slowest_s is not None]
        return Seen(
            requests=sum(tally.requests for tally in self._tallies),
            errors=tuple(sorted(errors.items())),
            longest_gap_s=max(gaps, default=None),
            slowest_s=max(slowest, default=None),
        )

    def _wait(self, true: Callable[[_Tally], bool]) -> None:
        end_s = self._clock.monotonic_s() + SETTLE_S
        while not all(true(tally) for tally in self._tallies):
            if self._clock.monotonic_s() > end_s or self._left.wait(_LOOK_EVERY_S):
                return

    def _read(self, visit: Visit, tally: _Tally, first_pause_s: float) -> None:
        pause_s = first_pause_s
        while not self._left.wait(pause_s):
            began_s = self._clock.monotonic_s()
            answer = visit()
            ended_s = self._clock.monotonic_s()
            with self._lock:
                _count(tally, answer, began_s, ended_s)
            pause_s = max(0.0, PERIOD_S - (ended_s - began_s))


def _count(tally: _Tally, answer: Answer, began_s: float, ended_s: float) -> None:
    tally.requests += 1
    if tally.first_s is None:
        tally.first_s = began_s
    if answer.fault:
        tally.errors[answer.fault] += 1
        return
    since_s = tally.first_s if tally.last_good_s is None else tally.last_good_s
    tally.longest_gap_s = max(tally.longest_gap_s or 0.0, ended_s - since_s)
    tally.last_good_s = max(since_s, ended_s)
    tally.slowest_s = max(tally.slowest_s or 0.0, answer.seconds)


def _gap_s(tally: _Tally, now_s: float) -> float | None:
    """Also what has lasted since the last good answer counts; None if there was no good one."""
    if tally.longest_gap_s is None or tally.last_good_s is None:
        return None
    return max(tally.longest_gap_s, now_s - tally.last_good_s)
