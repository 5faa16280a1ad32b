"""Following an operation from an event loop, without a thread that waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from greenroom.app.control_plane import ControlPlane
from greenroom.model.events import Event, EventKind


async def follow(control: ControlPlane, operation: str, after: int = 0) -> AsyncIterator[Event]:
    """The operation's events as they happen, those so far first; ends after its result.

    Raises InputError E_NO_OPERATION.
    """
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def tell(told: str) -> None:
        if told == operation:
            # The loop may have been closed since; that is no concern of the operation's.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(news.set)

    stop = control.listen(tell)
    try:
        # Asked before the events: what has ended by now has written its result too.
        ended = (await asyncio.to_thread(control.operation, operation)).status.final
        known = await asyncio.to_thread(control.events, operation, 0)
        last = known[-1].seq if known else 0
        # A client may have seen events that a crash then took with it, and count further than
        # the ledger: the result must reach it all the same.
        after = min(after, last - 1 if ended else last)
        while True:
            news.clear()
            for event in await asyncio.to_thread(control.events, operation, after):
                after = event.seq
                yield event
                ended = ended or event.kind is EventKind.RESULT
            if ended:
                return
            await news.wait()
    finally:
        stop()
