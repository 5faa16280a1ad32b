"""What no request may be, whatever it asks: too large, or with a NUL in its address."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenroom.errors import GreenroomError, InputError, UsageError
from greenroom.web.problems import SEND_LESS, TooLargeError, answer_of

BODY_MAX_BYTES = 1024 * 1024
"""A blueprint is named, not sent: nothing that the API takes comes near this."""


class RequestLimits:
    """ASGI middleware before everything else."""

    def __init__(self, app: ASGIApp, body_max_bytes: int = BODY_MAX_BYTES) -> None:
        self._app = app
        self._max = body_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is over a limit; count a body that does not say its length as it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fault = self._fault(scope)
        if fault is not None:
            await answer_of(fault)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max:
                # This kind alone passes through FastAPI's reading of a body as it is.
                raise HTTPException(413, too_large(self._max).message)
            return message

        await self._app(scope, counted, send)

    def _fault(self, scope: Scope) -> GreenroomError | None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 18:
            return UsageError(
                "E_REQUEST",
                f"Content-Length is {length[:40].decode('latin-1')!r}; expected a number",
                hint="say how many bytes the body has, or leave the header out",
            )
        if int(length) > self._max:
            return too_large(self._max)
        # PostgreSQL has no NUL in text, and no name here has one.
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return InputError(
                "E_NUL",
                "the address of the request holds a NUL, and no name does",
                hint="leave out %00",
            )
        return None


def too_large(max_bytes: int = BODY_MAX_BYTES) -> TooLargeError:
    """The refusal of a body."""
    return TooLargeError(
        "E_BODY_SIZE",
        f"the body of the request has more than {max_bytes // 1024} KiB",
        hint=SEND_LESS,
    )
