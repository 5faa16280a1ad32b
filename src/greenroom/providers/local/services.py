"""The region's services as one small ASGI application: metadata, bucket, wait handles.

It listens only inside the region (its sockets are opened there), apart from the daemon's API.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from greenroom.providers.local import health, metadata, signals
from greenroom.providers.local.health import HealthWords
from greenroom.providers.local.layout import METADATA_ADDRESS, SERVICE_ADDRESS, Layout
from greenroom.providers.local.pace import Paced
from greenroom.providers.local.residents import Resident, Residents
from greenroom.providers.local.signals import Signals

AGENT_BUCKET = "greenroom-agent"


class RegionServices:
    """The application and what it knows."""

    def __init__(
        self, layout: Layout, residents: Residents, signals: Signals, words: HealthWords
    ) -> None:
        self._layout = layout
        self._residents = residents
        self._signals = signals
        self._health_words = words
        self._tokens = metadata.Tokens()

    def application(self) -> ASGIApp:
        """The ASGI application, to be served on the region's sockets."""
        return Paced(
            Starlette(
                routes=[
                    Route("/latest/api/token", self._token, methods=["PUT"]),
                    Route("/latest/{path:path}", self._metadata, methods=["GET"]),
                    Route("/s3/{bucket}/{key:path}", self._bucket, methods=["GET", "HEAD"]),
                    Route("/signal/{token}", self._signal, methods=["PUT"]),
                    Route("/health/{token}", self._health, methods=["PUT"]),
                ]
            )
        )

    async def _token(self, request: Request) -> Response:
        if self._resident(request, METADATA_ADDRESS) is None:
            return _plain(404)
        ttl = request.headers.get(metadata.TTL_HEADER)
        forwarded = "x-forwarded-for" in request.headers
        answer = self._tokens.issue(_address(request), ttl, forwarded)
        return _plain(answer.status, answer.body)

    async def _metadata(self, request: Request) -> Response:
        resident = self._resident(request, METADATA_ADDRESS)
        if resident is None:
            return _plain(404)
        if not self._tokens.valid(_address(request), request.headers.get(metadata.TOKEN_HEADER)):
            return _plain(401)
        answer = metadata.answer(resident, request.url.path)
        return _plain(answer.status, answer.body)

    async def _bucket(self, request: Request) -> Response:
        resident = self._resident(request, SERVICE_ADDRESS)
        if resident is None:
            return _plain(404)
        bucket, key = request.path_params["bucket"], request.path_params["key"]
        folder = self._folder(resident, bucket)
        if folder is None:
            return _plain(403, f"{resident.machine.name} may not read bucket {bucket}\n")
        path = object_path(folder, key)
        if path is None:
            return _plain(404, f"no {key} in bucket {bucket}\n")
        return FileResponse(path, media_type="application/octet-stream")

    async def _signal(self, request: Request) -> Response:
        resident = self._holder(request)
        if resident is None:
            return _plain(404)
        body = await _bounded_body(request, signals.BODY_LIMIT_BYTES)
        return _plain(self._signals.receive(resident, body))

    async def _health(self, request: Request) -> Response:
        resident = self._holder(request)
        if resident is None:
            return _plain(404)
        body = await _bounded_body(request, health.BODY_LIMIT_BYTES)
        return _plain(self._health_words.receive(resident, body))

    def _holder(self, request: Request) -> Resident | None:
        """The machine that holds the token in the path, if it is who asks: on AWS the token alone
        would do."""
        resident = self._residents.holding(request.path_params["token"])
        if resident is None or resident.machine.address.exploded != _address(request):
            return None
        return resident

    def _resident(self, request: Request, address: str) -> Resident | None:
        server = request.scope.get("server")
        if server is None or server[0] != address:
            return None
        return self._residents.at(_address(request))

    def _folder(self, resident: Resident, bucket: str) -> Path | None:
        if bucket == AGENT_BUCKET:
            return self._layout.agent_bucket
        if bucket not in resident.machine.readable_buckets:
            return None
        return next((b.path for b in resident.stack.buckets if b.name == bucket), None)


def object_path(folder: Path, key: str) -> Path | None:
    """The file of a bucket's object, or None; a key cannot lead out of its bucket."""
    root = folder.resolve()
    try:
        path = (root / key).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):
        # A name that is too long, or holds a zero byte.
        return None


async def _bounded_body(request: Request, limit_bytes: int) -> bytes:
    """The body, or a little more of it than the limit: enough to see that it is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            break
    return body


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _plain(status: int, body: str = "") -> PlainTextResponse:
    return PlainTextResponse(body, status_code=status)
