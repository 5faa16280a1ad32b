"""``Idempotency-Key``: a POST that is sent twice, because its answer was lost, acts once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenroom.app.answers import Answers
from greenroom.errors import GreenroomError, UsageError
from greenroom.model.access import Caller
from greenroom.store.answers import Answer
from greenroom.web.access import CALLER_KEY, caller_of
from greenroom.web.limits import too_large
from greenroom.web.problems import answer_of

KEY_MAX = 200
_HEADER = "idempotency-key"
_STREAM_MAX_BYTES = 256 * 1024


class Idempotency:
    """ASGI middleware around the routes. Kept are answers that say that something was done; what
    was refused may be tried again with the same key."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app = app
        self._answers = answers
        # Those that run or wait, so that the second of a key waits for the first.
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the request, or give the answer that it had."""
        key = Headers(scope=scope).get(_HEADER) if scope["type"] == "http" else None
        if key is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if not 1 <= len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
            words = f"Idempotency-Key: expected 1 to {KEY_MAX} printable characters of ASCII"
            refused = UsageError("E_REQUEST", words, hint="a random UUID for each thing to do")
            await answer_of(refused)(scope, receive, send)
            return
        try:
            # Before a kept answer is looked for: a token that was revoked gets none.
            caller = await asyncio.to_thread(caller_of, Request(scope, receive))
            body = await _whole(receive)
        except GreenroomError as error:
            await answer_of(error)(scope, receive, send)
            return
        except HTTPException:
            await answer_of(too_large())(scope, receive, send)
            return
        except ClientDisconnect:
            # Half a request is none, even where the half could be read as a whole one.
            return
        # The route need not ask again who it is.
        scope[CALLER_KEY] = caller
        place = _digest(*_who(caller), key)
        async with self._turn(place):
            await self._once(place, _digest(scope["path"], body), body, scope, receive, send)

    async def _once(
        self, place: str, fingerprint: str, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            kept = await asyncio.to_thread(self._answers.begin, place, fingerprint)
        except GreenroomError as error:
            await answer_of(error)(scope, receive, send)
            return
        if kept is not None and kept.status is not None:
            headers = {"Idempotency-Replayed": "true", "Content-Type": kept.content_type}
            await Response(kept.body, kept.status, headers)(scope, receive, send)
            return
        heard = _Heard(send)
        try:
            await self._app(scope, _again(body, receive), heard)
        finally:
            await asyncio.to_thread(self._settle, place, heard.answer(fingerprint))

    def _settle(self, place: str, answer: Answer | None) -> None:
        if answer is None:
            self._answers.forget(place)
        else:
            self._answers.end(place, answer)

    @asynccontextmanager
    async def _turn(self, place: str) -> AsyncIterator[None]:
        lock, users = self._turns.get(place, (asyncio.Lock(), 0))
        self._turns[place] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns.pop(place)
            if users > 1:
                self._turns[place] = (lock, users - 1)


class _Heard:
    """Passes an answer on, and remembers it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 500
        self._headers = Headers()
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            # A copy: who sends it on may add to the headers, and one of them means a secret here.
            self._headers = Headers(raw=list(message["headers"]))
        if len(self._body) <= _STREAM_MAX_BYTES:
            self._body += message.get("body", b"")
        await self._send(message)

    def answer(self, fingerprint: str) -> Answer | None:
        """What to keep; None if nothing was done, or if the answer is a stream of progress."""
        kind = self._headers.get("content-type", "")
        if not 200 <= self._status < 300 or not kind.startswith("application/json"):
            return None
        secret = self._headers.get("cache-control") == "no-store"
        return Answer(
            fingerprint=fingerprint,
            status=self._status,
            content_type=kind,
            body=None if secret else bytes(self._body).decode(),
        )


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return parts.pop() if parts else await receive()

    return replayed


def _who(caller: Caller) -> list[str]:
    """Whose key it is: two callers may choose the same one, and a token's name may be given again.
    The rights are part of it: with other ones than then, the request is judged anew."""
    who = f"token {caller.token}" if caller.token else f"name {caller.name}"
    return [who, *(f"{grant.role} of {grant.stack}" for grant in caller.grants)]


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()
