"""On the unix socket the kernel says who asks; over TCP only a token does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from greenroom.app.access import Access
from greenroom.store.database import Database
from greenroom.web.access import Asking
from greenroom.web.peer import PeerProtocol
from greenroom.web.problems import add_problems


def test_a_process_on_the_unix_socket_is_who_the_kernel_says_and_tcp_needs_a_token(
    tmp_path: Path,
) -> None:
    database = Database.in_file(tmp_path / "ledger.db")
    database.migrate()
    api = FastAPI()
    api.state.access = Access.on(database)
    add_problems(api)

    @api.get("/who")
    def who(caller: Asking) -> dict[str, str]:
        return {"name": caller.name, "origin": caller.origin}

    answers = asyncio.run(_ask_both(api, tmp_path / "socket"))
    database.close()

    assert os.geteuid() == 0
    by_socket, by_tcp = answers
    assert by_socket == (200, {"name": "root", "origin": f"unix socket, process {os.getpid()}"})
    assert (by_tcp[0], by_tcp[1]["code"]) == (401, "E_TOKEN_MISSING")


async def _ask_both(api: FastAPI, path: Path) -> list[tuple[int, dict[str, str]]]:
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    tcp = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(api, http=PeerProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[unix, tcp]))
    # The listeners queue what comes before the server is ready; only a listening socket does.
    unix.listen()
    tcp.listen()
    try:
        answers = [
            await _answer(await asyncio.open_unix_connection(str(path))),
            await _answer(await asyncio.open_connection(*tcp.getsockname())),
        ]
    finally:
        server.should_exit = True
        await serving
    return answers


async def _answer(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> tuple[int, dict[str, str]]:
    reader, writer = connection
    writer.write(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)
