"""What befell a part that was running: who ended, how, and how long it was away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """``subject`` is a machine (``db1``), a service of it (``db1 mariadb``) or a part of the
    region (``dnsmasq``); ``away_s`` is None while it has not come back."""

    at: datetime
    subject: str
    message: str
    away_s: float | None = None
