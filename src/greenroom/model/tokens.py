"""Access tokens as people see them: everything but the secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.access import Grant


class TokenStatus(StrEnum):
    """Whether a token opens anything."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenView:
    """A token. ``id`` names it for ever, ``name`` may be given again once it is revoked."""

    id: str
    name: str
    grants: tuple[Grant, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    def status_at(self, now: datetime) -> TokenStatus:
        """Revoked counts before expired: it says that somebody did it."""
        if self.revoked_at is not None:
            return TokenStatus.REVOKED
        return TokenStatus.EXPIRED if now >= self.expires_at else TokenStatus.GOOD
