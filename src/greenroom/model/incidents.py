"""What befell a part that was running: who ended, how, and how long it was away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.names import EnvironmentName


class Part(StrEnum):
    """What can end in a running environment."""

    MACHINE = "machine"
    """Its first process, and with it everything in it."""
    SUPERVISOR = "supervisor"
    """What starts one service again; the service itself runs on."""
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A process that was watched has ended. ``service`` is empty for a machine's first process;
    ``how`` is a clause: ``was killed by SIGKILL``."""

    environment: EnvironmentName
    machine: str
    part: Part
    service: str
    pid: int
    how: str
    at: datetime

    @property
    def subject(self) -> str:
        """``db1``, or ``db1 mariadb``."""
        return f"{self.machine} {self.service}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """``subject`` is a machine (``db1``), a service of it (``db1 mariadb``) or a part of the
    region (``dnsmasq``); ``away_s`` is None where it is not known, or has not come back."""

    at: datetime
    subject: str
    message: str
    away_s: float | None = None
