"""What a person probably meant by a name that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LISTED_NAMES_MAX = 12
LIKENESS_MIN = 0.5
"""Low enough that two swapped letters of a two-letter name (``bd`` for ``db``) are recognised."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like ``name``, without regard to case; None if none does."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=LIKENESS_MIN)
    return by_folded[matches[0]] if matches else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?``, or the list of what there is, or that there is nothing."""
    names = sorted(set(known))
    match = nearest(name, names)
    if match is not None:
        return f"did you mean {match!r}?"
    if not names:
        return "none is declared"
    listed = ", ".join(names[:LISTED_NAMES_MAX])
    return f"known: {listed}{', …' if len(names) > LISTED_NAMES_MAX else ''}"


def unknown(kind: str, name: str, known: Iterable[str], *, where: str = "") -> str:
    """One sentence for a reference that leads nowhere: ``unknown group 'bas'; did you mean …``."""
    return f"unknown {kind} {name!r}{where}; {suggestion(name, known)}"
