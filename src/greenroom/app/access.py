"""All that decides who may ask for something, and keeps what was asked, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.app.audit import Audit
from greenroom.app.clock import Clock
from greenroom.app.logins import Logins
from greenroom.app.lookup import pick
from greenroom.app.streams import Streams
from greenroom.app.tokens import Tokens
from greenroom.errors import GreenroomError
from greenroom.store.database import Database
from greenroom.store.environments import is_production, list_environments


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Tokens, logins, streams and the audit log of one ledger."""

    audit: Audit
    tokens: Tokens
    logins: Logins
    streams: Streams
    database: Database

    @classmethod
    def on(cls, database: Database, clock: Clock | None = None) -> Access:
        """On a migrated ledger."""
        audit = Audit(database, clock)
        tokens = Tokens(database, audit, clock)
        logins = Logins(tokens, audit, clock)
        return cls(audit=audit, tokens=tokens, logins=logins, streams=Streams(), database=database)

    def is_production(self, stack: str, slug: str | None) -> bool:
        """Whether that is production: of a stack as a whole, and of what does not exist, no."""
        if slug is None:
            return False
        with self.database.read() as connection:
            return is_production(connection, f"{stack}/{slug}")

    def stack_of(self, environment: str) -> str:
        """The stack of the environment that somebody meant, whether they may know of it or not; of
        one that does not exist what stands before its slash, or nothing."""
        with self.database.read() as connection:
            records = list_environments(connection)
        try:
            return pick(records, environment).name.stack
        except GreenroomError:
            return environment.rpartition("/")[0].partition("/")[0]
