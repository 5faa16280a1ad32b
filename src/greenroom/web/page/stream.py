"""Server-sent events: pieces of a page, sent when something changed.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html. A browser that goes away
ends the generator, and with it whatever it listened to; one that comes back names the last event
that it saw in ``Last-Event-ID``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from starlette.responses import StreamingResponse

from greenroom.app.access import Access
from greenroom.app.control_plane import ControlPlane
from greenroom.web.page.asking import LoggedIn

GATHER_S = 0.1
"""What comes in a burst is shown once."""
LOOK_AGAIN_S = 5.0
"""How often is looked without news: not every change is an operation's event."""
ENDED = "ended"


class Piece(NamedTuple):
    """One event: text to swap in, or an ``event`` that the page listens for."""

    data: str
    event: str = ""
    id: str = ""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        head = f"event: {self.event}\n" if self.event else ""
        head += f"id: {self.id}\n" if self.id else ""
        lines = "".join(f"data: {line}\n" for line in self.data.splitlines() or [""])
        return f"{head}{lines}\n".encode()


def event_stream(pieces: AsyncIterator[Piece]) -> StreamingResponse:
    """The answer that goes on while ``pieces`` does."""

    async def encoded() -> AsyncIterator[bytes]:
        # At once, so that the browser knows that it is heard.
        yield b": here\n\n"
        async with contextlib.aclosing(pieces) as each:  # type: ignore[type-var]
            async for piece in each:
                yield piece.encoded()

    return StreamingResponse(encoded(), media_type="text/event-stream")


async def _among_streams(request: Request, session: LoggedIn) -> AsyncIterator[None]:
    access: Access = request.app.state.access
    with access.streams.one_of(session.caller):
        yield


def one_stream() -> Dependency:
    """That the answer counts among the streams of who is logged in, until it has ended. The route
    raises BusyError E_STREAMS."""
    dependency: Dependency = Depends(_among_streams, scope="request")
    return dependency


Listen = Callable[[Callable[[], None]], Callable[[], None]]
"""Have a function called at each piece of news; returns what ends that."""


def listen_to(control: ControlPlane, operation: str | None = None) -> Listen:
    """The news of an operation, or of all of them."""

    def listen(tell: Callable[[], None]) -> Callable[[], None]:
        return control.listen(lambda told: tell() if operation in (None, told) else None)

    return listen


async def changed_pieces(
    listen: Listen,
    render: Callable[[], str | None],
    *,
    look_again_s: float = LOOK_AGAIN_S,
    shown: str | None = None,
) -> AsyncIterator[Piece]:
    """What ``render`` gives, whenever it gives something other than what is ``shown``; ends when
    it gives None.

    It is called in a thread, after each piece of news and every ``look_again_s`` seconds.
    """
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def tell() -> None:
        # The loop may have been closed since; that is no concern of who tells.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(news.set)

    stop = listen(tell)
    try:
        while True:
            news.clear()
            text = await asyncio.to_thread(render)
            if text is None:
                yield Piece("", event=ENDED)
                return
            if text != shown:
                shown = text
                yield Piece(text)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), look_again_s)
                await asyncio.sleep(GATHER_S)
    finally:
        stop()
