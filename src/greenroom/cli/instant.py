"""An instant as people write it: ``2026-11-23 10:00``, or how long ago, ``90m``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from greenroom.errors import UsageError

_AGO = re.compile(
    "(?=[0-9])(?:(?P<days>[0-9]+)d)?(?:(?P<hours>[0-9]+)h)?"
    "(?:(?P<minutes>[0-9]+)m)?(?:(?P<seconds>[0-9]+)s)?"
)


def instant(option: str, text: str, now: datetime | None = None) -> datetime:
    """The instant, aware; one without a zone is meant as the host's. Raises UsageError."""
    now = datetime.now(UTC) if now is None else now
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            units = {unit: int(number) for unit, number in ago.groupdict("0").items()}
            return now - timedelta(**units)
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            "E_USAGE",
            f"{option} {text[:60]!r} is no time",
            hint=f"for example {option} 90m (so long ago), or {option} '2026-11-23 10:00'",
        ) from None
