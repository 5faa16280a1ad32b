"""Named queries on kept answers: what a request was answered, for when it comes again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from greenroom.store.access_tables import answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``status`` is None while the request runs; ``body`` is None for what is told only once."""

    fingerprint: str
    status: int | None = None
    content_type: str = ""
    body: str | None = None


def find_answer(connection: Connection, key: str) -> Answer | None:
    """The answer kept under that key."""
    row = connection.execute(select(answers).where(answers.c.key == key)).one_or_none()
    if row is None:
        return None
    return Answer(
        fingerprint=row.fingerprint,
        status=row.status,
        content_type=row.content_type,
        body=row.body,
    )


def begin_answer(connection: Connection, key: str, fingerprint: str, at: datetime) -> None:
    """A request with that key has begun."""
    values = {"key": key, "fingerprint": fingerprint, "at": at, "content_type": ""}
    connection.execute(insert(answers).values(values))


def end_answer(connection: Connection, key: str, answer: Answer) -> None:
    """The request has been answered so."""
    values = {
        "status": answer.status,
        "content_type": answer.content_type,
        "body": answer.body,
    }
    connection.execute(update(answers).where(answers.c.key == key).values(values))


def forget_answer(connection: Connection, key: str) -> None:
    """The request did nothing: it may come again as if it were new."""
    connection.execute(delete(answers).where(answers.c.key == key))


def forget_answers_before(connection: Connection, at: datetime) -> None:
    """Answers are kept for some time only."""
    connection.execute(delete(answers).where(answers.c.at < at))
