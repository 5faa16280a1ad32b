"""Waiting for a state: quick at first, because most things are there at once."""

from __future__ import annotations

import time

from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_S = 0.002
LONGEST_S = 0.1
LATENESS = 0.02
"""A pause is this part of the time that was waited so far, so that nothing is noticed much later
than it happened. Doubling pauses would find a database that starts in 165 ms only after 240."""


def tries(
    deadline: float, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S
) -> Iterator[float]:
    """Yield the seconds that are left until ``deadline`` (monotonic), pausing between two tries.

    There is always one try, also when the deadline has passed, and one at the deadline itself.
    """
    started = time.monotonic()
    while True:
        left_s = deadline - time.monotonic()
        yield max(left_s, 0.0)
        now = time.monotonic()
        if now >= deadline:
            return
        pause_s = max(first_s, min((now - started) * LATENESS, longest_s))
        time.sleep(min(pause_s, deadline - now))
