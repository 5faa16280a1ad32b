"""Named queries on the page's logins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from greenroom.model.access import Caller, Grant
from greenroom.store.tables import sessions

_GRANTS = TypeAdapter(tuple[Grant, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A login: ``sha256`` is that of the cookie; ``token`` is the id of the token that was given,
    empty for a login by the unix socket."""

    sha256: str
    caller: Caller
    token: str
    created_at: datetime
    expires_at: datetime


def insert_session(connection: Connection, record: SessionRecord) -> None:
    """Keep a login."""
    values = {
        "sha256": record.sha256,
        "caller": record.caller.name,
        "grants_json": _GRANTS.dump_json(record.caller.grants).decode(),
        "token": record.token,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
    }
    connection.execute(insert(sessions).values(values))


def find_session(connection: Connection, sha256: str) -> SessionRecord | None:
    """The login whose cookie has that hash."""
    query = select(sessions).where(sessions.c.sha256 == sha256)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return SessionRecord(
        sha256=row["sha256"],
        caller=Caller(name=row["caller"], grants=_GRANTS.validate_json(row["grants_json"])),
        token=row["token"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def delete_session(connection: Connection, sha256: str) -> None:
    """Forget a login; it is no fault if there is none."""
    connection.execute(delete(sessions).where(sessions.c.sha256 == sha256))


def delete_expired(connection: Connection, now: datetime) -> None:
    """Forget the logins that open nothing any more."""
    connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
