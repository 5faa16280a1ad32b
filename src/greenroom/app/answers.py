"""Requests that come twice and act once: the answer is kept under the caller's own key."""

from __future__ import annotations

from datetime import timedelta

from greenroom.app.clock import Clock, SystemClock
from greenroom.errors import RefusedError
from greenroom.store.answers import (
    Answer,
    begin_answer,
    end_answer,
    find_answer,
    forget_answer,
    forget_answers_before,
)
from greenroom.store.database import Database

KEPT = timedelta(hours=24)


class Answers:
    """Kept answers. Safe to use from any thread; of two requests with one key, the caller lets the
    second one wait for the first."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock: Clock = SystemClock() if clock is None else clock

    def begin(self, key: str, fingerprint: str) -> Answer | None:
        """The answer to give again; None if the request is new and is to be done now.

        Raises RefusedError E_IDEMPOTENCY_KEY if the key was another request's, E_ANSWER_LOST if the
        daemon ended in the middle of it, E_ANSWER_ONCE if its answer is told only once.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            forget_answers_before(connection, now - KEPT)
            kept = find_answer(connection, key)
            if kept is None:
                begin_answer(connection, key, fingerprint, now)
                return None
        _refuse_useless(kept, fingerprint)
        return kept

    def end(self, key: str, answer: Answer) -> None:
        """Keep the answer of what was done."""
        with self._database.write() as connection:
            end_answer(connection, key, answer)

    def forget(self, key: str) -> None:
        """Nothing was done: the same request may be tried again."""
        with self._database.write() as connection:
            forget_answer(connection, key)


def _refuse_useless(kept: Answer, fingerprint: str) -> None:
    if kept.fingerprint != fingerprint:
        raise RefusedError(
            "E_IDEMPOTENCY_KEY",
            "the Idempotency-Key was given to another request within the last 24 hours",
            hint="give each request a key of its own, and a repeated one the same body",
        )
    if kept.status is None:
        raise RefusedError(
            "E_ANSWER_LOST",
            "the daemon ended while it did this request, and its answer is lost",
            hint="GET /v1/operations and /v1/audit tell what became of it",
        )
    if kept.body is None:
        raise RefusedError(
            "E_ANSWER_ONCE",
            "this request was done, and its answer holds a secret that is told only once",
            hint="revoke what it made, and ask again with another key",
        )
