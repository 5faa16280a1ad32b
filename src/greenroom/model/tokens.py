"""Access tokens as people see them: everything but the secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.access import Grant

_TEXT = re.compile(r"grt_[0-9a-f]{8}_[0-9A-Za-z_-]+")


def without_tokens(text: str) -> str:
    """``text`` without the tokens in it, whole or cut short: people put theirs where a name
    belongs, and then it must neither come back nor be kept."""
    return _TEXT.sub("grt_…", text)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A token that is revoked; ``again`` if it was so before it was asked for this time."""

    token: TokenView
    again: bool
