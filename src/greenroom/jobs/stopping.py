"""What an engine says that takes nothing in any more."""

from __future__ import annotations

from greenroom.errors import RefusedError


def stopping(kind: str) -> RefusedError:
    """The refusal of an operation while the daemon ends."""
    return RefusedError(
        "E_STOPPING",
        f"{kind} refused: the daemon is stopping",
        hint="ask again: the next command starts the daemon anew",
    )
