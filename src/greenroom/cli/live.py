"""Progress of an operation: finished phases as lines that stay, running ones as lines that move.

Off a terminal only the finished ones are printed. Nothing but three control sequences is used
(cursor up, clear to the end of the screen, colours), so there is no library to import.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, TextIO

from greenroom.cli.terminal import Paint
from greenroom.cli.text import clean, clip, duration, pad

if TYPE_CHECKING:
    from greenroom.cli.shapes import EventReply

TICK_S = 0.1
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SUBJECT_COLUMNS = 12
_PHASE_COLUMNS = 10
_TIME_COLUMNS = 9


class ProgressView:
    """Renders events on ``stream`` as they come; ``close`` leaves only what is finished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._paint = Paint(stream)
        self._running: dict[tuple[str | None, str], float] = {}
        self._drawn = 0
        self._frame = 0

    @property
    def tick_s(self) -> float | None:
        """How often ``tick`` should be called; None off a terminal."""
        return TICK_S if self._paint.terminal else None

    def show(self, event: EventReply) -> None:
        """Take up one event."""
        key = (event["machine"], event["phase"])
        match event["kind"]:
            case "phase-started":
                self._running[key] = time.monotonic()
                self._draw([])
            case "phase-done":
                self._running.pop(key, None)
                self._draw([self._line("good", "✓", event)])
            case "phase-failed":
                self._running.pop(key, None)
                self._draw([self._line("bad", "✗", event)])
            case "notice":
                self._draw([self._line("open", "·", event)])
            case _:
                self.close()

    def tick(self) -> None:
        """Move what is running by one frame."""
        if self._running:
            self._frame += 1
            self._draw([])

    def say(self, text: str) -> None:
        """A line of our own among the others."""
        self._draw([text])

    def close(self) -> None:
        """Remove what moves."""
        self._running.clear()
        self._draw([])

    def _draw(self, finished: list[str]) -> None:
        lines, columns = self._size()
        moving = self._moving(columns)[: max(0, lines - 2)] if self._paint.terminal else []
        erase = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        output = erase + "".join(f"{line}\n" for line in (*finished, *moving))
        self._drawn = len(moving)
        if output:
            self._stream.write(output)
            self._stream.flush()

    def _moving(self, columns: int) -> list[str]:
        now = time.monotonic()
        spinner = _SPINNER[self._frame % len(_SPINNER)]
        return [
            clip(f"{spinner} {_where(machine, phase)} {_time(now - since)}", columns - 1)
            for (machine, phase), since in self._running.items()
        ]

    def _line(self, style: str, mark: str, event: EventReply) -> str:
        subject = _where(event["machine"], event["phase"])
        spent = _time(event["seconds"]) if event["seconds"] is not None else " " * _TIME_COLUMNS
        message = clean(event["message"])
        return f"{self._paint(style, mark)} {subject} {spent}  {message}".rstrip()

    def _size(self) -> tuple[int, int]:
        if not self._paint.terminal:
            return 0, 0
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 24, 80
        return size.lines or 24, size.columns or 80


def _where(machine: str | None, phase: str) -> str:
    return f"{pad(clean(machine or ''), _SUBJECT_COLUMNS)} {pad(clean(phase), _PHASE_COLUMNS)}"


def _time(seconds: float) -> str:
    return duration(seconds).rjust(_TIME_COLUMNS)
