"""Events as newline-delimited JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from greenroom.model.events import Event

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


def ndjson(description: str) -> dict[str, Any]:
    """What to tell OpenAPI of a route that answers with lines of JSON."""
    content = {NDJSON: {"schema": {"type": "string"}}}
    return {
        "response_class": StreamingResponse,
        "response_model": None,
        "responses": {200: {"description": description, "content": content}},
    }
