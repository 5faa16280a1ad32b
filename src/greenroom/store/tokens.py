"""Named queries on access tokens."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, case, insert, select, update

from greenroom.model.access import Grant
from greenroom.model.tokens import TokenView
from greenroom.store.access_tables import identity, tokens

_GRANTS = TypeAdapter(tuple[Grant, ...])


def ledger_tag(connection: Connection) -> str:
    """The eight hex digits that every token of this ledger bears."""
    return str(connection.scalar(select(identity.c.tag)))


def insert_token(connection: Connection, token: TokenView, sha256: str) -> None:
    """Keep a token; the database refuses a second one of the name that is not revoked."""
    values = {
        "id": token.id,
        "name": token.name,
        "sha256": sha256,
        "grants_json": _GRANTS.dump_json(token.grants).decode(),
        "created_by": token.created_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
    connection.execute(insert(tokens).values(values))


def token_of(connection: Connection, sha256: str) -> TokenView | None:
    """The token whose text has that hash."""
    row = connection.execute(select(tokens).where(tokens.c.sha256 == sha256)).mappings()
    found = row.one_or_none()
    return None if found is None else _view(found)


def token_of_id(connection: Connection, token: str) -> TokenView | None:
    """The token of exactly that id, whatever others are called."""
    row = connection.execute(select(tokens).where(tokens.c.id == token)).mappings().one_or_none()
    return None if row is None else _view(row)


def find_token(connection: Connection, text: str) -> TokenView | None:
    """The token of that id, or else the one of that name: not a revoked one, or the newest."""
    query = (
        select(tokens)
        .where((tokens.c.id == text) | (tokens.c.name == text))
        .order_by((tokens.c.id == text).desc(), tokens.c.revoked_at.is_not(None))
        .order_by(tokens.c.created_at.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _view(row)


def person_of(connection: Connection, name: str, at: datetime) -> str:
    """Who answers for what ``name`` did at that time: of a token the token that made it, and so on
    up to the one that no token made. Whoever has no token answers for themselves."""
    seen = {name}
    while (token := _token_at(connection, name, at)) is not None:
        maker = _token_at(connection, token.created_by, token.created_at)
        if maker is None or maker.name in seen:
            return name
        name, at = maker.name, token.created_at
        seen.add(name)
    return name


def _token_at(connection: Connection, name: str, at: datetime) -> TokenView | None:
    """The token that had the name then, or else, as clocks are set back, the newest one."""
    then = (tokens.c.created_at <= at) & (
        tokens.c.revoked_at.is_(None) | (tokens.c.revoked_at > at)
    )
    query = (
        select(tokens)
        .where(tokens.c.name == name)
        .order_by(case((then, 0), else_=1), tokens.c.created_at.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _view(row)


def list_tokens(connection: Connection) -> tuple[TokenView, ...]:
    """All tokens, also those that open nothing any more, by name."""
    query = select(tokens).order_by(tokens.c.name, tokens.c.created_at, tokens.c.id)
    return tuple(_view(row) for row in connection.execute(query).mappings())


def mark_used(connection: Connection, token: str, at: datetime) -> None:
    """Somebody used the token of that id."""
    connection.execute(update(tokens).where(tokens.c.id == token).values(last_used_at=at))


def mark_revoked(connection: Connection, token: str, at: datetime) -> None:
    """The token of that id opens nothing any more; the first time counts."""
    connection.execute(
        update(tokens)
        .where(tokens.c.id == token, tokens.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )


def _view(row: RowMapping) -> TokenView:
    return TokenView(
        id=row["id"],
        name=row["name"],
        grants=_GRANTS.validate_json(row["grants_json"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )
