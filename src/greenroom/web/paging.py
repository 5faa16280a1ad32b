"""Pages: at most so many items, and a cursor for the next ones."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated

from fastapi import Query

from greenroom.errors import InputError

LIMIT = 100
LIMIT_MAX = 500

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many items at the most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="`next` of the page before; its content is nobody's."),
]


def cursor_of(listing: str, position: int) -> str:
    """What leads to the items past ``position``. Opaque, so that it may change: nobody counts on
    what is in it."""
    content = json.dumps([listing, position], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def position_of(listing: str, cursor: str | None) -> int | None:
    """The position that ``cursor_of`` has put there; raises InputError E_CURSOR for what is no
    cursor of this listing."""
    if cursor is None:
        return None
    try:
        content = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        found, position = json.loads(content)
    except (ValueError, TypeError, binascii.Error):
        found, position = "", None
    in_range = type(position) is int and 0 <= position < 2**31
    if found != listing or not in_range:
        raise InputError(
            "E_CURSOR", f"{cursor!r} is no cursor of this list", hint="begin again without one"
        )
    return int(position)
