"""What a connection may take: a place among the others, and so long for its request.

uvicorn bounds neither: its only clock runs between two requests, and the first byte of the next
one stops it; its ``limit_concurrency`` refuses requests, and keeps all connections.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import h11

from greenroom.errors import BusyError
from greenroom.web.crowd import Crowd
from greenroom.web.peer import PeerProtocol
from greenroom.web.problems import SlowRequestError, answer_of

HEAD_WITHIN_S = 10.0
"""From the connection, or from the answer before, to the end of a request's head. A browser that
connects ahead of a request that never comes makes a new connection for the next one."""
BODY_WITHIN_S = 30.0
"""From the end of its head to the end of its body, which is a MiB at most."""

UserOf = Callable[[socket.socket], int | None]
"""The user id of who connected, if it can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One way in, and what it demands of those who come by it."""

    crowd: Crowd
    user_of: UserOf
    head_within_s: float = HEAD_WITHIN_S
    body_within_s: float = BODY_WITHIN_S

    def within_s(self, missing: str) -> float:
        """How long may be waited for what is missing of a request, its ``head`` or ``body``."""
        return self.head_within_s if missing == "head" else self.body_within_s


class GuestProtocol(PeerProtocol):
    """A connection that came in by a door; given to uvicorn as ``partial(GuestProtocol, door)``."""

    def __init__(self, door: Door, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._door = door
        self._user = ""
        self._missing: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Come in, or be told that there is no room."""
        super().connection_made(transport)
        uid = self._door.user_of(cast("socket.socket", transport.get_extra_info("socket")))
        self._user = "nobody who can be told" if uid is None else f"uid {uid}"
        if self._door.crowd.enter(self, self._user):
            self._await_what_is_missing()
        else:
            self.answer_and_close(answer_of(_no_room(self._user, len(self._door.crowd))))

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        super().connection_lost(exc)
        self._door.crowd.leave(self, self._user)
        self._stop_clock()

    def data_received(self, data: bytes) -> None:
        """As its parent; the clock runs on unless a part of the request is whole now."""
        super().data_received(data)
        self._await_what_is_missing()

    def on_response_complete(self) -> None:
        """As its parent; what comes next has a time of its own."""
        super().on_response_complete()
        self._await_what_is_missing()

    def is_waiting(self) -> bool:
        """See ``Guest``."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered or _missing_of(self.conn) is not None

    def turn_out(self) -> None:
        """See ``Guest``. Not ``close``, which would wait for a reader that never reads."""
        self.transport.abort()

    def _await_what_is_missing(self) -> None:
        missing = None if self.transport.is_closing() else _missing_of(self.conn)
        if missing == self._missing:
            return
        self._stop_clock()
        self._missing = missing
        if missing is not None:
            within_s = self._door.within_s(missing)
            self._deadline = self.loop.call_later(within_s, self._too_slow, missing, within_s)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self, missing: str, within_s: float) -> None:
        """Say so to who has begun a request and has no answer yet; from others just go."""
        has_begun = missing == "body" or bool(self.conn.trailing_data[0])
        may_answer = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        unread = self.transport.is_closing() or self.transport.get_write_buffer_size() > 0
        if unread or not (has_begun and may_answer):
            self.turn_out()
            return
        self._forget_request()
        words = f"the {missing} of the request was not there after {within_s:g} s"
        slow = SlowRequestError("E_REQUEST_SLOW", words, hint="send it again, all of it at once")
        self.answer_and_close(answer_of(slow))

    def _forget_request(self) -> None:
        """Have who waits for the rest of a body hear that nobody is there any more."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()


def _missing_of(conn: h11.Connection) -> str | None:
    """What of a request has still to come, if anything; between two requests it is the head."""
    if conn.their_state is h11.IDLE:
        return "head"
    return "body" if conn.their_state is h11.SEND_BODY else None


def _no_room(user: str, connections: int) -> BusyError:
    return BusyError(
        "E_CONNECTIONS",
        f"{user} has most of the {connections} connections that there may be, all of them in use",
        retry_s=1.0,
        hint="end some of the streams",
    )
