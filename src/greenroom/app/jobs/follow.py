"""Following an execution's log from an event loop, without a thread that waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from greenroom.app.jobs.log import READ_BYTES_MAX
from greenroom.app.jobs.service import Jobs

_PACE_S = 0.03
"""How long a follower gathers what comes after what it was given: a hundred of them at a script
that prints all the time are woken thirty times a second each, not for every line."""


async def follow_log(
    jobs: Jobs, execution: str, *, after: int = 0, follow: bool = True
) -> AsyncIterator[bytes]:
    """Whole lines of the log past ``after``, as they come and many at a time; ends with the
    execution, or without ``follow`` with what there is."""
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    is_told = False

    def tell() -> None:
        # Once is enough until it was heard: a script may print a line every millisecond.
        nonlocal is_told
        if not is_told:
            is_told = True
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(news.set)

    stop = jobs.book.listen(execution, tell)
    try:
        offset = await asyncio.to_thread(jobs.book.offset_after, execution, after)
        while True:
            news.clear()
            is_told = False
            # Asked before the lines: what has ended by now has written all of them.
            is_over = not follow or not jobs.endings.is_unfinished(execution)
            has_lines = False
            while data := jobs.book.read(execution, offset):
                offset += len(data)
                has_lines = True
                yield data
                if not is_over and len(data) < READ_BYTES_MAX // 2:
                    # That was all, as no line takes the other half; what comes after it is told.
                    break
            if is_over:
                return
            await news.wait()
            if has_lines:
                await asyncio.sleep(_PACE_S)
    finally:
        stop()
