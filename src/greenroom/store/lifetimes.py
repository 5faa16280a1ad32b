"""Named queries on when environments end, and when they run."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.views import EnvironmentStatus
from greenroom.store.tables import environments


def extend_environment(
    connection: Connection,
    name: EnvironmentName,
    expires_at: datetime | None,
    awake_until: datetime | None,
) -> None:
    """Its end is another one, of which nobody was warned yet."""
    _set(connection, name, expires_at=expires_at, warned_at=None, awake_until=awake_until)


def mark_warned(connection: Connection, name: EnvironmentName, at: datetime) -> None:
    """Its end was told."""
    _set(connection, name, warned_at=at)


def shift_ends(connection: Connection, by: timedelta) -> None:
    """Every end, and every time until which working hours wait, is so much later; nobody was
    warned of it yet."""
    columns = environments.c
    query = select(columns.name, columns.expires_at, columns.awake_until)
    for name, expires_at, awake_until in connection.execute(query).all():
        later = {
            "expires_at": expires_at and expires_at + by,
            "awake_until": awake_until and awake_until + by,
            "warned_at": None,
        }
        connection.execute(update(environments).where(columns.name == name).values(later))


def mark_stopped(connection: Connection, name: EnvironmentName, at: datetime, caller: str) -> None:
    """Its machines have ended, as that caller has asked."""
    status, verdict = EnvironmentStatus.STOPPED, Verdict.NOT_VERIFIED
    _set(connection, name, status=status, verdict=verdict, stopped_at=at, stopped_by=caller)


def mark_started(
    connection: Connection, name: EnvironmentName, awake_until: datetime | None
) -> None:
    """It is not stopped any more, whatever has become of it."""
    _set(connection, name, stopped_at=None, stopped_by=None, awake_until=awake_until)


def _set(connection: Connection, name: EnvironmentName, **values: object) -> None:
    connection.execute(update(environments).where(environments.c.name == str(name)).values(values))
