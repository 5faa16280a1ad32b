"""Named queries on incidents: what befell an environment, or the region, besides operations."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from greenroom.model.incidents import Incident
from greenroom.model.names import EnvironmentName
from greenroom.store.tables import incidents

_KEPT = timedelta(days=30)
_SHOWN = 20


def record_incident(
    connection: Connection, environment: EnvironmentName | None, incident: Incident
) -> None:
    """Keep an incident; None is the region. What is a month old is forgotten."""
    connection.execute(delete(incidents).where(incidents.c.at < incident.at - _KEPT))
    values = {
        "environment": _key(environment),
        "at": incident.at,
        "subject": incident.subject,
        "message": incident.message,
        "away_s": incident.away_s,
    }
    connection.execute(insert(incidents), values)


def forget_incidents(connection: Connection, environment: EnvironmentName) -> None:
    """Forget what befell a namesake that is gone; not told by the time, which may be set back."""
    connection.execute(delete(incidents).where(incidents.c.environment == _key(environment)))


def incidents_of(
    connection: Connection, environment: EnvironmentName, since: datetime
) -> tuple[Incident, ...]:
    """The newest incidents of the environment, and of the region since then, in the order in
    which they were kept."""
    query = (
        select(incidents)
        .where(
            (incidents.c.environment == _key(environment))
            | ((incidents.c.environment == _key(None)) & (incidents.c.at >= since))
        )
        .order_by(incidents.c.id.desc())
        .limit(_SHOWN)
    )
    rows = connection.execute(query).mappings()
    found = [
        Incident(at=row["at"], subject=row["subject"], message=row["message"], away_s=row["away_s"])
        for row in rows
    ]
    return tuple(reversed(found))


def count_incidents(
    connection: Connection,
    environment: EnvironmentName,
    subject: str,
    since: datetime,
    until: datetime,
) -> int:
    """How often that subject met something between the two. What seems to lie in the future was
    kept before the clock was set back, nobody knows how long ago."""
    query = select(func.count()).where(
        incidents.c.environment == _key(environment),
        incidents.c.subject == subject,
        incidents.c.at.between(since, until),
    )
    return connection.scalar(query) or 0


def _key(environment: EnvironmentName | None) -> str:
    return "" if environment is None else str(environment)
