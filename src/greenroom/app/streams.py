"""How many answers without an end somebody may have at once: events and logs that are followed."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from greenroom.errors import BusyError
from greenroom.model.access import Caller

STREAMS_MAX = 200
"""Of one caller. A browser has six at the most, and lets go of those of a tab that is hidden."""
_RETRY_S = 5.0


class Streams:
    """The streams that are open now, by caller. Safe to use from any thread."""

    def __init__(self, at_most: int = STREAMS_MAX) -> None:
        self._at_most = at_most
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def one_of(self, caller: Caller) -> Iterator[None]:
        """Have one of the caller's streams be open meanwhile; raises BusyError E_STREAMS.

        All logins by one token count together. A newcomer is refused, and no older stream closed
        for it: whoever follows comes back when they are cut off, and would cut off the next.
        """
        # A token's name may be given again, and may be that of a user.
        key = f"token {caller.token}" if caller.token else f"login {caller.name}"
        with self._lock:
            if self._open[key] >= self._at_most:
                raise BusyError(
                    "E_STREAMS",
                    f"{caller.name} follows {self._at_most} streams already",
                    retry_s=_RETRY_S,
                    hint="end one of them, or ask without following",
                )
            self._open[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]
