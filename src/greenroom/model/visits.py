"""What a client meets that reads an endpoint, one answer at a time and in sum."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request. ``fault`` is empty for a good answer, else its kind: ``connection refused``,
    ``connection broken``, ``timeout``, a status of the proxy (``502``, ``503``, ``504``) or
    ``wrong content``."""

    fault: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a client saw that read the endpoints while a machine was thrown away.

    ``errors`` counts by kind (``connection refused``, ``503``, ``timeout``, ``wrong content``),
    sorted. ``longest_gap_s`` is the longest time between two good answers, None if there was no
    good one; ``slowest_s`` is the slowest good answer. ``whole``: False if a restart of the daemon
    ended the client before the machine was back.
    """

    requests: int
    errors: tuple[tuple[str, int], ...]
    longest_gap_s: float | None
    slowest_s: float | None
    whole: bool = True
