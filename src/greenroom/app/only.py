"""The thing that is meant if a person names none."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.errors import UsageError


def refuse_unless_one(names: Sequence[str], none: UsageError) -> None:
    """Refuse to guess among environments: raises ``none`` if there is no name, and UsageError
    E_WHICH_ENVIRONMENT with all of them if there are several."""
    if not names:
        raise none
    if len(names) > 1:
        raise UsageError(
            "E_WHICH_ENVIRONMENT",
            f"there are {len(names)} environments: {', '.join(names)}",
            hint="name the one that you mean",
        )
