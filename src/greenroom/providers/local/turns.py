"""Whoever makes what others need as well makes it alone; they wait, and find it there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from greenroom.ports import Cancellation

_LOOK_EVERY_S = 0.2


class Turns:
    """Turns by key. Thread-safe."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._locks_lock = threading.Lock()

    @contextmanager
    def one_at_a_time(self, key: str, cancel: Cancellation) -> Iterator[None]:
        """Wait for the turn, and have it for the block; raises CancelledError while it waits."""
        with self._locks_lock:
            lock = self._locks.setdefault(key, threading.Lock())
        while not lock.acquire(timeout=_LOOK_EVERY_S):
            cancel.check()
        try:
            yield
        finally:
            lock.release()
