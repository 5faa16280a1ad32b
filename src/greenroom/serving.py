"""The daemon's sockets, and the event loop that serves them.

Three applications share it: the API on a unix socket of the host, API and page on a port of its
loopback, and the region's services (metadata, bucket, wait handles) on sockets inside the region.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from greenroom.providers.local.layout import METADATA_ADDRESS, SERVICE_ADDRESS
from greenroom.providers.local.neighbours import user_at_other_end
from greenroom.providers.local.network import open_datagrams, open_listener
from greenroom.providers.local.provider import LocalProvider
from greenroom.providers.local.service_records import ANSWER_ADDRESS, ANSWER_PORT
from greenroom.providers.local.services import RegionServices
from greenroom.region import Region
from greenroom.web.crowd import Crowd, connections_max
from greenroom.web.door import Door, GuestProtocol, UserOf
from greenroom.web.peer import peer_at

_SERVICE_PORT = 80
_BACKLOG = 128
"""So many are accepted before the first of them is looked at, and perhaps closed again."""


def open_inside(provider: LocalProvider) -> list[socket.socket]:
    """Where machines find metadata, buckets and wait handles."""
    return [
        open_listener(provider.layout, address, _SERVICE_PORT)
        for address in (METADATA_ADDRESS, SERVICE_ADDRESS)
    ]


async def serve_until_told(
    region: Region,
    provider: LocalProvider,
    api: FastAPI,
    site: ASGIApp,
    inside: list[socket.socket],
    listener: socket.socket | None,
    finish: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT. API and page end at once, the region's services when
    ``finish`` has returned: what it waits for may be a machine that has yet to signal."""
    services = RegionServices(
        provider.layout, provider.residents, provider.signals, provider.health_words
    )
    questions = open_datagrams(provider.layout, ANSWER_ADDRESS, ANSWER_PORT)
    api_server = _Server(api, http=_guests(_user_of_peer), backlog=_BACKLOG)
    # h11 bounds the headers of a request, httptools does not; its callers are not trusted.
    region_server = _Server(services.application(), http="h11", limit_concurrency=8192)
    site_server = _Server(site, http=_guests(user_at_other_end), backlog=_BACKLOG)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(provider.service_records, sock=questions)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _tell_to_exit, api_server, site_server)
    # No TaskGroup: whoever reads the log shall have an error as it is, not in a group of one.
    inside_served = asyncio.ensure_future(region_server.serve(sockets=inside))
    try:
        asked = [api_server.serve(sockets=[_api_socket(region.socket_path)])]
        if listener is not None:
            asked.append(site_server.serve(sockets=[listener]))
        await asyncio.gather(*asked)
        await asyncio.to_thread(finish)
    finally:
        _tell_to_exit(region_server)
        await inside_served


def _guests(user_of: UserOf) -> Callable[..., GuestProtocol]:
    """The connections by a door of their own: what is full by TCP leaves the unix socket alone."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    door = Door(crowd=Crowd(connections_max(descriptors)), user_of=user_of)
    return partial(GuestProtocol, door)


def _user_of_peer(connection: socket.socket) -> int | None:
    peer = peer_at(connection)
    return None if peer is None else peer.uid


def _tell_to_exit(*servers: uvicorn.Server) -> None:
    for server in servers:
        server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: several servers share this process."""

    def __init__(self, application: Any, **options: Any) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="off",
                # Machines are told apart by the address that they really have.
                proxy_headers=False,
                # An upgraded connection would have left the door's rules behind.
                ws="none",
                **options,
                timeout_graceful_shutdown=1,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See the class."""
        yield


def _api_socket(path: Path) -> socket.socket:
    """Only root may speak to the daemon: whoever can, can run anything on this host."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener
