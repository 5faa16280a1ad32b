"""The machines' logs as they are written, for a browser that may be slower than they are."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

from greenroom.web.page.render import fragment
from greenroom.web.page.stream import Piece

LINES_MAX = 300
"""Lines sent at once; of a burst the newest count, and how many were left out is said."""
_LINE_CHARACTERS = 2000
_POLL_S = 0.25
_BEAT_S = 15.0


class Line(Protocol):
    """A line that a service wrote."""

    @property
    def machine(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def line(self) -> str: ...


class Reader(Protocol):
    """A log that is read on from where it was read last."""

    def read_new(self) -> Iterable[Line]:
        """The lines written since the last call."""


async def log_pieces(readers: Sequence[Reader], still: Callable[[], bool]) -> AsyncIterator[Piece]:
    """The last lines that there are, then new ones as they come, while ``still`` holds."""
    idle_s = 0.0
    while still():
        lines, left_out = await asyncio.to_thread(_newest, readers)
        if lines or idle_s >= _BEAT_S:
            yield Piece(fragment("_log_lines.html", lines=lines, left_out=left_out))
            idle_s = 0.0
        await asyncio.sleep(_POLL_S)
        idle_s += _POLL_S
    yield Piece("", event="ended")


def _newest(readers: Sequence[Reader]) -> tuple[list[tuple[str, str, str]], int]:
    newest: deque[tuple[str, str, str]] = deque(maxlen=LINES_MAX)
    read = 0
    for reader in readers:
        for each in reader.read_new():
            newest.append((each.machine, each.service, each.line[:_LINE_CHARACTERS]))
            read += 1
    return list(newest), read - len(newest)
