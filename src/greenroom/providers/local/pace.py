"""A pace for each machine's requests to the region's services, so that all are served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

PER_SECOND = 200
BURST = 400
"""A boot asks about ten times."""


class Pace:
    """When an address may go on: a burst at once, then so many a second.

    It remembers one number for each address, and only the region's own addresses get here.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._due_s: dict[str, float] = {}

    def wait_s(self, address: str) -> float:
        """Take a turn; how long to wait for it."""
        now_s = self._monotonic_s()
        due_s = max(self._due_s.get(address, 0.0), now_s - BURST / PER_SECOND) + 1 / PER_SECOND
        self._due_s[address] = due_s
        return max(0.0, due_s - now_s)


class Paced:
    """An application whose clients wait for their turn.

    Waiting costs nothing, and an answer that says «too many» would be asked for again at once.
    How many of a machine's requests wait is bounded by its connections.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._pace = Pace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification, «Applications»."""
        client = scope.get("client")
        wait_s = self._pace.wait_s(client[0]) if client else 0.0
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        await self._application(scope, receive, send)
