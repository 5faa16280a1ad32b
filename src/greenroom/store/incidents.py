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


def incidents_since(
    connection: Connection, environment: EnvironmentName | None, since: datetime
) -> tuple[Incident, ...]:
    """The newest incidents of the environment, or of the region, since then; the oldest first.

    An environment's creation is a good ``since``: a namesake that is gone left its own behind.
    """
    query = (
        select(incidents)
        .where(incidents.c.environment == _key(environment), incidents.c.at >= since)
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
    connection: Connection, environment: EnvironmentName, subject: str, since: datetime
) -> int:
    """How often that subject met something since then."""
    query = select(func.count()).where(
        incidents.c.environment == _key(environment),
        incidents.c.subject == subject,
        incidents.c.at >= since,
    )
    return connection.scalar(query) or 0


def _key(environment: EnvironmentName | None) -> str:
    return "" if environment is None else str(environment)
