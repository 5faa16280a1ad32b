"""Durations as people write them: ``8h``, ``45m``, ``1d12h``. Imports next to nothing, because
the CLI reads them too."""

from __future__ import annotations

import re

_UNITS_S = {"d": 86400, "h": 3600, "m": 60}
PATTERN = r"(?=[0-9])([0-9]{1,5}d)?([0-9]{1,5}h)?([0-9]{1,5}m)?"
"""Days, hours and minutes, each at most once and in this order; without anchors."""


def parse_duration_s(text: str) -> float:
    """``1d12h`` to seconds; raises ValueError with what was expected."""
    if not re.fullmatch(PATTERN, text):
        raise ValueError(f"{text[:40]!r} is not a duration; expected one such as 8h, 45m or 1d12h")
    return float(sum(int(part[:-1]) * _UNITS_S[part[-1]] for part in re.findall("[0-9]+.", text)))


def duration_words(seconds: float) -> str:
    """Seconds as ``parse_duration_s`` reads them, in whole minutes: ``1d12h``, ``8h``."""
    left, words = int(seconds), ""
    for unit, unit_s in _UNITS_S.items():
        number, left = divmod(left, unit_s)
        words += f"{number}{unit}" if number else ""
    return words or "0m"
