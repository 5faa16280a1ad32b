"""What a machine says of itself, made safe to keep: it may say anything."""

from __future__ import annotations

import math
from typing import Any

TEXT_LIMIT = 4000


def text(value: object) -> str:
    """As bounded text that can be stored: JSON lets a lone surrogate through, UTF-8 does not."""
    try:
        said = str(value)
    except RecursionError:
        # What is nested just deep enough to be read may be too deep to be written.
        said = ""
    return said[:TEXT_LIMIT].encode(errors="replace").decode()


def items(value: object) -> list[Any]:
    """A list, or nothing."""
    return value if isinstance(value, list) else []


def is_duration(value: object) -> bool:
    """Whether it is a number of seconds; JSON as Python reads it also knows NaN, Infinity, and
    whole numbers that no float can hold."""
    try:
        return isinstance(value, int | float) and math.isfinite(value) and value >= 0
    except OverflowError:
        return False
