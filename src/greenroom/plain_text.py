"""Words and numbers as a person reads them, in a terminal, a drawing or a page.

Names, messages and log lines come from blueprints and from inside machines. Whatever they hold,
it is shown as text and never obeyed as an instruction.
"""

from __future__ import annotations

import re
from functools import cache


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


def nearest_s(seconds: float) -> int:
    """A length of time in whole days, hours or minutes, from one and a half of them on, or else in
    whole seconds. So a day that was asked for a moment ago is still a day, and not 23 hours."""
    unit_s = next((unit_s for unit_s in (86400, 3600, 60) if seconds >= unit_s * 1.5), 1)
    return round(seconds / unit_s) * unit_s


def count(number: int, noun: str) -> str:
    """``1 table``, ``3 tables``, ``2 addresses``, ``4 directories``."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{number} {noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}s"
