"""A client for an ASGI application in this process: one request, one answer, whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

TIMEOUT_S = 60.0


@dataclass
class AsgiAnswer:
    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


def request(app: Any, method: str, target: str, **more: Any) -> AsgiAnswer:
    """As ``requested``, in an event loop of its own."""
    return asyncio.run(requested(app, method, target, **more))


async def requested(
    app: Any,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    json_body: Any = None,
    content: str | bytes | Iterable[bytes] | None = None,
    state: Mapping[str, Any] | None = None,
) -> AsgiAnswer:
    """The answer to one request; ``content`` in parts comes without a length. An application
    that raises after its answer, as it does of a bug, is no failure here."""
    sent = dict(headers or {})
    if json_body is not None:
        content = json.dumps(json_body)
        sent.setdefault("Content-Type", "application/json")
    parts = _parts(content)
    if not isinstance(content, Iterable) or isinstance(content, str | bytes):
        sent["Content-Length"] = str(len(parts[0]))
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("testclient", 1),
        "server": ("testserver", 80),
        "state": dict(state or {}),
    }
    return await asyncio.wait_for(_exchange(app, scope, parts), TIMEOUT_S)


async def _exchange(app: Any, scope: dict[str, Any], parts: list[bytes]) -> AsgiAnswer:
    waiting = list(parts)
    messages: list[dict[str, Any]] = []
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if waiting:
            body = waiting.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(waiting)}
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    try:
        await app(scope, receive, send)
    except Exception:
        if not messages or messages[0]["status"] != 500:
            raise
    ended.set()
    head = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    body = b"".join(each.get("body", b"") for each in messages[1:])
    return AsgiAnswer(messages[0]["status"], head, body)


def _parts(content: str | bytes | Iterable[bytes] | None) -> list[bytes]:
    if content is None:
        return [b""]
    if isinstance(content, str):
        return [content.encode()]
    return [content] if isinstance(content, bytes) else list(content)
