"""The wish that an operation stop: a flag that steps look at.

The engine's own way to cancel is not used: it would make every later step fail, and with them the
compensation.
"""

from __future__ import annotations

import threading

from greenroom.errors import CancelledError


class CancelFlag:
    """The Cancellation port for one operation; ``what`` names it in the error."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._asked = threading.Event()

    def ask(self) -> None:
        """From now on ``check`` raises."""
        self._asked.set()

    def check(self) -> None:
        """Raises CancelledError if somebody asked."""
        if self._asked.is_set():
            raise CancelledError("E_CANCELLED", f"{self._what} was cancelled")


class NeverCancelled:
    """For what must run to its end: a compensation."""

    def check(self) -> None:
        """Never raises."""


class CancelFlags:
    """The flags of the operations of this process, by operation id."""

    def __init__(self) -> None:
        self._flags: dict[str, CancelFlag] = {}
        self._lock = threading.Lock()

    def of(self, operation: str, what: str) -> CancelFlag:
        """The operation's flag, the same one at each call."""
        with self._lock:
            return self._flags.setdefault(operation, CancelFlag(what))

    def forget(self, operation: str) -> None:
        """The operation has ended."""
        with self._lock:
            self._flags.pop(operation, None)
