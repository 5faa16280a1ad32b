"""Events as newline-delimited JSON, and the bound on how many of such answers are open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from greenroom.app.access import Access
from greenroom.model.events import Event
from greenroom.web.access import Asking

NDJSON = "application/x-ndjson"

_EVENT = TypeAdapter(Event)
"""Made once: an adapter takes longer to build than to use a thousand times."""


def event_line(event: Event) -> bytes:
    """One event as a line."""
    return _EVENT.dump_json(event) + b"\n"


async def event_lines(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """Events as lines, as they come."""
    async for event in events:
        yield event_line(event)


async def _among_streams(request: Request, caller: Asking) -> AsyncIterator[None]:
    access: Access = request.app.state.access
    with access.streams.one_of(caller):
        yield


def one_stream() -> Dependency:
    """That the answer counts among the caller's streams until it has ended; beside the right that
    its route takes. The route raises BusyError E_STREAMS."""
    dependency: Dependency = Depends(_among_streams, scope="request")
    return dependency


def ndjson(description: str) -> dict[str, Any]:
    """What to tell OpenAPI of a route that answers with lines of JSON."""
    content = {NDJSON: {"schema": {"type": "string"}}}
    return {
        "response_class": StreamingResponse,
        "response_model": None,
        "responses": {200: {"description": description, "content": content}},
    }
