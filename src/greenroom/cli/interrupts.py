"""Ctrl-C and SIGTERM as a count that a loop looks at, instead of an exception out of nowhere."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, signals are counted, and ``wake_fd`` becomes readable at each one.

    An exception raised by a handler could tear a line of the stream or of the live view apart;
    the wake-up descriptor ends the wait in ``poll`` at once and loses nothing
    (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """

    def __init__(self) -> None:
        self.count = 0
        self.wake_fd = -1
        self._write_fd = -1
        self._previous_fd = -1
        self._previous: list[object] = []

    def __enter__(self) -> Interrupts:
        self.wake_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._previous_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self._previous = [signal.signal(number, self._counted) for number in _SIGNALS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in zip(_SIGNALS, self._previous, strict=True):
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._previous_fd)
        os.close(self.wake_fd)
        os.close(self._write_fd)

    def drain(self) -> None:
        """Make ``wake_fd`` quiet again."""
        try:
            while os.read(self.wake_fd, 64):
                pass
        except BlockingIOError:
            return

    def _counted(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
