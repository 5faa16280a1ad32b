"""Pure text for the terminal: measured and aligned. What makes it safe is in ``plain_text``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from greenroom.plain_text import clean as clean
from greenroom.plain_text import count as count
from greenroom.plain_text import duration as duration
from greenroom.plain_text import nearest_s

_WIDE = frozenset("WF")


def width(text: str) -> int:
    """How many columns ``text`` takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    import unicodedata

    columns = 0
    for character in text:
        if unicodedata.combining(character) or character in "\u200b\u200d\ufe0f":
            continue
        columns += 2 if unicodedata.east_asian_width(character) in _WIDE else 1
    return columns


def clip(text: str, columns: int) -> str:
    """``text`` in at most ``columns`` columns, with an ellipsis where it was cut."""
    if width(text) <= columns:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > columns - 1:
            break
        kept += character
    return kept + "…" if columns > 0 else ""


def pad(text: str, columns: int) -> str:
    """``text`` filled with spaces to ``columns``."""
    return text + " " * (columns - width(text))


def columns_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width that every column of a table needs."""
    return [max(width(cell) for cell in cells) for cells in zip(head, *rows, strict=True)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines, the head first; cells are cleaned, nothing ends in spaces."""
    safe = [[clean(cell) for cell in row] for row in rows]
    widths = columns_of(head, safe)
    return [
        "  ".join(pad(cell, columns) for cell, columns in zip(row, widths, strict=True)).rstrip()
        for row in (head, *safe)
    ]


_AGES = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def age(moment: str | None, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 moment was, in its largest unit: ``16 hours``."""
    if moment is None:
        return "unknown age"
    then = datetime.fromisoformat(moment)
    return _span(max(0.0, ((now or datetime.now(UTC)) - then).total_seconds()))


def _span(seconds: float) -> str:
    for unit_s, name in _AGES:
        if seconds >= unit_s:
            return count(int(seconds // unit_s), name)
    return "0 seconds"


def until(moment: str, now: datetime | None = None) -> str:
    """How far off an ISO 8601 moment is: ``in 7 hours``, or ``3 minutes ago`` if it has passed."""
    at = now or datetime.now(UTC)
    if has_passed(moment, at):
        return f"{age(moment, at)} ago"
    return f"in {_span(nearest_s((datetime.fromisoformat(moment) - at).total_seconds()))}"


def has_passed(moment: str, now: datetime) -> bool:
    """Whether an ISO 8601 moment is over."""
    return datetime.fromisoformat(moment) <= now


def at_minute(moment: str) -> str:
    """``2026-11-23 17:00 UTC``."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def size(byte_count: int) -> str:
    """``412 MiB``."""
    amount = float(byte_count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
