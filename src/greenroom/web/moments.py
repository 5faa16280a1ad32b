"""Instants that a request names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from greenroom.errors import InputError


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; raises InputError E_TIME for one before the year 1 or past 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        # Year 1 begins an hour later in Greenwich than in Berlin.
        raise InputError(
            "E_TIME",
            f"{moment.isoformat()} is no time in UTC",
            hint="give one of the years 1 to 9999, as they are in UTC",
        ) from error


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""Aware UTC; InputError E_TIME for what lies before the year 1 or past 9999."""
