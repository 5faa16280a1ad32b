"""Named queries on when environments end, and when they run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from greenroom.model.names import EnvironmentName
from greenroom.store.tables import environments


def extend_environment(
    connection: Connection,
    name: EnvironmentName,
    expires_at: datetime | None,
    awake_until: datetime | None,
) -> None:
    """Its end is another one, of which nobody was warned yet."""
    values = {"expires_at": expires_at, "warned_at": None, "awake_until": awake_until}
    connection.execute(update(environments).where(environments.c.name == str(name)).values(values))
