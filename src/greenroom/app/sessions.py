"""Logins of the page: a one-time ticket becomes a session, a session is who asks.

Keys and tickets are random; only their hashes are kept. A key also yields the token that every
form of its session bears, so that a page of somebody else cannot send one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from greenroom.app.access import Access
from greenroom.app.audit import entry_of
from greenroom.app.clock import Clock
from greenroom.app.rates import Rate
from greenroom.errors import BusyError, LoginError
from greenroom.model.access import Caller
from greenroom.model.audit import Outcome
from greenroom.store.database import Database
from greenroom.store.sessions import (
    SessionRecord,
    delete_expired,
    delete_session,
    find_session,
    insert_session,
)

TICKET_TTL_S = 60.0
SESSION_TTL_S = 12 * 3600.0
TICKETS_MAX = 100
_FAILURES_AT_ONCE = 10
_FAILURES_PER_S = 0.2
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who is logged in. ``form_token`` is what their forms bear."""

    caller: Caller
    form_token: str
    expires_at: datetime


class Sessions:
    """All logins. Safe to use from any thread."""

    def __init__(self, *, database: Database, access: Access, clock: Clock) -> None:
        self._database = database
        self._access = access
        self._clock = clock
        self._failures = Rate(clock, per_s=_FAILURES_PER_S, burst=_FAILURES_AT_ONCE)
        self._lock = threading.Lock()
        self._tickets: dict[str, tuple[Caller, float]] = {}

    def ticket(self, caller: Caller) -> str:
        """What logs ``caller`` in once, within ``TICKET_TTL_S``."""
        ticket = secrets.token_urlsafe(_KEY_BYTES)
        now = self._clock.monotonic_s()
        with self._lock:
            fresh = {key: kept for key, kept in self._tickets.items() if kept[1] > now}
            # The oldest go first: nobody has a hundred browsers open at the same minute.
            self._tickets = dict(list(fresh.items())[-TICKETS_MAX + 1 :])
            self._tickets[_sha256(ticket)] = (caller, now + TICKET_TTL_S)
        return ticket

    def by_ticket(self, ticket: str, origin: str) -> str:
        """Log in by a ticket: the key of a new session; ``origin`` is the address that sent it.

        Raises LoginError E_TICKET, or BusyError E_LOGIN_RATE after too many that failed.
        """
        with self._lock:
            caller, until = self._tickets.pop(_sha256(ticket), (None, 0.0))
        if caller is None or until <= self._clock.monotonic_s():
            raise self._refused(origin)
        return self._open(replace(caller, origin=origin), "")

    def by_token(self, text: str, origin: str) -> str:
        """Log in by an API token; raises LoginError E_TOKEN_…, or BusyError E_LOGIN_RATE."""
        caller = self._access.logins.by_token(text, origin)
        return self._open(caller, caller.token)

    def find(self, key: str) -> Session | None:
        """Who a key belongs to; None if it opens nothing (any more)."""
        with self._database.read() as connection:
            record = find_session(connection, _sha256(key))
        if record is None or record.expires_at <= self._clock.now():
            return None
        caller = self._caller_now(record)
        if caller is None:
            return None
        return Session(caller=caller, form_token=_form_token(key), expires_at=record.expires_at)

    def close(self, key: str) -> None:
        """Log out."""
        with self._database.write() as connection:
            delete_session(connection, _sha256(key))

    def _open(self, caller: Caller, token: str) -> str:
        key = secrets.token_urlsafe(_KEY_BYTES)
        now = self._clock.now()
        record = SessionRecord(
            sha256=_sha256(key),
            caller=caller,
            token=token,
            created_at=now,
            expires_at=now + timedelta(seconds=SESSION_TTL_S),
        )
        with self._database.write() as connection:
            delete_expired(connection, now)
            insert_session(connection, record)
            self._access.audit.record(entry_of(caller, "login", Outcome.DONE), connection)
        return key

    def _refused(self, origin: str) -> LoginError | BusyError:
        retry_s = self._failures.take(origin)
        if retry_s > 0:
            return BusyError(
                "E_LOGIN_RATE",
                f"too many logins from {origin} have failed",
                retry_s=retry_s,
                hint=f"try again in {retry_s:.0f} s",
            )
        return LoginError(
            "E_TICKET",
            "this login link was used already, or is older than a minute",
            hint="greenroom web prints a new one",
        )

    def _caller_now(self, record: SessionRecord) -> Caller | None:
        """A login by token is worth what the token is worth now: it may have been revoked."""
        if not record.token:
            return record.caller
        return self._access.tokens.caller_now(record.token)


def same_form_token(session: Session, given: str) -> bool:
    """Whether a form came from a page of this session."""
    return hmac.compare_digest(session.form_token.encode(), given.encode())


def _form_token(key: str) -> str:
    return hashlib.sha256(f"form:{key}".encode()).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
