"""An instant as people write it: ``2026-11-23 10:00``, or how long ago, ``90m``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from greenroom.errors import UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instant(option: str, text: str, now: datetime | None = None) -> datetime:
    """The instant, aware; one without a zone is meant as the host's. Raises UsageError."""
    now = datetime.now(UTC) if now is None else now
    number, unit = text[:-1], text[-1:]
    try:
        if number.isdecimal() and unit in _UNITS:
            return now - timedelta(**{_UNITS[unit]: int(number)})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(
            "E_USAGE",
            f"{option} {text!r} is no time",
            hint=f"for example {option} 90m (so long ago), or {option} '2026-11-23 10:00'",
        ) from None
