"""All that decides who may ask for something, and keeps what was asked, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.app.audit import Audit
from greenroom.app.clock import Clock
from greenroom.app.logins import Logins
from greenroom.app.tokens import Tokens
from greenroom.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Tokens, logins and the audit log of one ledger."""

    audit: Audit
    tokens: Tokens
    logins: Logins

    @classmethod
    def on(cls, database: Database, clock: Clock | None = None) -> Access:
        """On a migrated ledger."""
        audit = Audit(database, clock)
        tokens = Tokens(database, audit, clock)
        return cls(audit=audit, tokens=tokens, logins=Logins(tokens, audit, clock))
