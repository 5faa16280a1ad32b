"""Pure text for the terminal: safe, measured, aligned.

Names, messages and log lines come from blueprints and from inside machines. Whatever they hold,
it reaches the terminal as text and never as an instruction to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

_WIDE = frozenset("WF")


@cache
def _escapes() -> re.Pattern[str]:
    """Escape sequences. Compiled when first needed: most text is plain, and this costs 2 ms."""
    return re.compile(
        "(?:\x1b[P\\]X^_]|[\x90\x98\x9d-\x9f])[^\x1b\x07\x9c]*(?:\x1b\\\\|\x07|\x9c)"  # DCS, OSC
        "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: parameters, intermediates, final byte
        "|\x1b[ -/]*[0-~]?"  # every other escape sequence (ECMA-35, section 13.2)
    )


@cache
def _controls() -> re.Pattern[str]:
    """C0, DEL, C1, line separators and what overrides the direction of text."""
    return re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """``text`` without escape sequences, control characters and overrides of the direction.

    Line breaks and tabs become spaces: what is cleaned is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    without_escapes = _escapes().sub("", text)
    return _controls().sub(lambda found: " " if found[0] in "\t\n\r" else "", without_escapes)


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


def duration(seconds: float | None) -> str:
    """``14 ms``, ``1.21 s``, ``2 min 05 s``; a dash for what was not measured."""
    if seconds is None:
        return "-"
    if round(seconds * 1000) < 1000:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 2) < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


_AGES = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def age(moment: str | None, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 moment was, in its largest unit: ``16 hours``."""
    if moment is None:
        return "unknown age"
    then = datetime.fromisoformat(moment)
    seconds = max(0.0, ((now or datetime.now(UTC)) - then).total_seconds())
    for unit_s, name in _AGES:
        if seconds >= unit_s:
            return count(int(seconds // unit_s), name)
    return "0 seconds"


def until(moment: str, now: datetime | None = None) -> str:
    """How far off an ISO 8601 moment is: ``in 7 hours``, or ``3 minutes ago`` if it has passed."""
    at = now or datetime.now(UTC)
    if datetime.fromisoformat(moment) <= at:
        return f"{age(moment, at)} ago"
    return f"in {age(at.isoformat(), datetime.fromisoformat(moment))}"


def at_minute(moment: str) -> str:
    """``2026-11-23 17:00 UTC``."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def count(number: int, noun: str) -> str:
    """``1 table``, ``3 tables``, ``2 addresses``, ``4 directories``."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{number} {noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}s"


def size(byte_count: int) -> str:
    """``412 MiB``."""
    amount = float(byte_count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
