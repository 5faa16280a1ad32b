"""Who is at the other end of a connection, and heads that are too large.

uvicorn's own protocol says ``client: None`` of every unix socket. This one asks the kernel, and
puts the answer into the ``state`` of the connection's requests.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

import h11
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from greenroom.errors import UsageError
from greenroom.model.peer import Peer
from greenroom.web.problems import HeadTooLargeError, answer_of

HEAD_MAX_BYTES = 16 * 1024
"""What h11 keeps of a head that does not end (its DEFAULT_MAX_INCOMPLETE_EVENT_SIZE)."""

_UCRED = struct.Struct("3i")


class PeerProtocol(H11Protocol):
    """HTTP by h11, which bounds the head of a request, as httptools does not."""

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or whose head has no end, with a problem like any other."""
        received = len(self.conn.trailing_data[0])
        if received > HEAD_MAX_BYTES:
            words = f"the head of the request has more than {HEAD_MAX_BYTES // 1024} KiB"
            answer = answer_of(
                HeadTooLargeError(
                    "E_HEAD_SIZE",
                    words,
                    hint="send fewer or shorter headers; what is long belongs into the body",
                )
            )
        else:
            answer = answer_of(
                UsageError(
                    "E_HTTP",
                    "this is no request of HTTP/1.1",
                    hint="speak HTTP here, not HTTPS; greenroom web tells the address",
                )
            )
        self.answer_and_close(answer)

    def answer_and_close(self, answer: Response) -> None:
        """Say this on a connection whose request nobody will answer any more, and end it."""
        headers = [*answer.raw_headers, (b"connection", b"close")]
        status = h11.Response(status_code=answer.status_code, headers=headers)
        for event in (status, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask for the credentials once: they are those of the connect (unix(7))."""
        super().connection_made(transport)
        peer = peer_at(cast("socket.socket", transport.get_extra_info("socket")))
        if peer is not None:
            self.app_state = {**self.app_state, "peer": peer}


def peer_at(connection: socket.socket) -> Peer | None:
    """The process at the other end of a unix socket; None for any other."""
    if connection.family != socket.AF_UNIX:
        return None
    pid, uid, gid = _UCRED.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    )
    return Peer(pid=pid, uid=uid, gid=gid)
