"""Events as newline-delimited JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
