"""Who is at the other end of a connection, and heads that are too large.

uvicorn's own protocol says ``client: None`` of every unix socket. This one asks the kernel, and
puts the answer into the ``state`` of the connection's requests.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from greenroom.model.peer import Peer

_UCRED = struct.Struct("3i")


class PeerProtocol(H11Protocol):
    """HTTP by h11, which bounds the head of a request, as httptools does not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask for the credentials once: they are those of the connect (unix(7))."""
        super().connection_made(transport)
        peer = _peer_of(transport)
        if peer is not None:
            self.app_state = {**self.app_state, "peer": peer}


def _peer_of(transport: asyncio.Transport) -> Peer | None:
    connection = cast("socket.socket", transport.get_extra_info("socket"))
    if connection.family != socket.AF_UNIX:
        return None
    pid, uid, gid = _UCRED.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    )
    return Peer(pid=pid, uid=uid, gid=gid)
