"""How the daemon's servers end: those of API and page at once, the region's when all has ended."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from greenroom import serving
from greenroom.errors import HostError
from greenroom.region import Region


class Server:
    """Serves until it is told to exit; one that speaks for API or page was told so already."""

    def __init__(self, application: object, *, http: object, **options: object) -> None:
        self.should_exit = http != "h11"

    async def serve(self, sockets: object) -> None:
        while not self.should_exit:
            await asyncio.sleep(0)


def test_what_fails_at_the_end_of_the_daemon_is_told_as_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "_Server", Server)
    monkeypatch.setattr(serving, "_api_socket", lambda path: None)
    monkeypatch.setattr(serving, "RegionServices", lambda *_: SimpleNamespace(application=object))
    questions = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    questions.bind(("127.0.0.1", 0))
    monkeypatch.setattr(serving, "open_datagrams", lambda *_: questions)
    parts = dict.fromkeys(("layout", "residents", "signals", "health_words"))
    provider: Any = SimpleNamespace(**parts, service_records=asyncio.DatagramProtocol)

    def finish() -> None:
        raise HostError("E_LEDGER_AWAY", "the ledger does not answer", hint="start it")

    async def serve() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.add_signal_handler = lambda *_: None
        nothing: Any = None
        region = Region.from_environment()
        await serving.serve_until_told(region, provider, nothing, nothing, [], None, finish)

    with pytest.raises(HostError, match="the ledger does not answer"):
        asyncio.run(serve())
