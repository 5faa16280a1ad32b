"""The person at the keyboard while AWS works: waits that Ctrl-C ends, and a view that moves."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

from greenroom.cli.follow import LeftAloneError
from greenroom.cli.interrupts import Interrupts
from greenroom.errors import CancelledError

CANCELLING = "cancelling; press Ctrl-C again to leave it to CloudFormation"


class Watch:
    """The Attention port. ``tick`` is called every ``tick_s`` seconds of a wait; None: nothing
    moves."""

    def __init__(
        self,
        interrupts: Interrupts,
        tick: Callable[[], None],
        tick_s: float | None,
        say: Callable[[str], None],
    ) -> None:
        self._interrupts = interrupts
        self._tick = tick
        self._tick_s = tick_s
        self._say = say
        self._answered = 0
        self._left: tuple[str, str] | None = None

    def wait(self, seconds: float) -> None:
        """See Attention. In a thread beside the main one it only sleeps."""
        if threading.current_thread() is not threading.main_thread():
            time.sleep(seconds)
            return
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if self._woken(left_s if self._tick_s is None else min(left_s, self._tick_s)):
                self._interrupts.drain()
                break
            self._tick()
        if self._left is not None:
            self.check()

    def check(self) -> None:
        """See Attention."""
        if self._interrupts.count <= self._answered:
            return
        if self._left is not None:
            left, hint = self._left
            raise LeftAloneError("E_LEFT_TO_AWS", left, hint=hint)
        raise CancelledError("E_CANCELLED", "cancelled")

    def obey(self, left: str, hint: str) -> None:
        """See Attention."""
        if self._interrupts.count > self._answered:
            self._say(CANCELLING)
        self._answered = self._interrupts.count
        self._left = (left, hint)

    def _woken(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._interrupts.wake_fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
