"""A connection to AWS that is gone for a while: what was begun there goes on without us."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from greenroom.errors import GreenroomError

CONNECTION_PATIENCE_S = 120.0
"""How long a connection may be gone before we leave the stack to CloudFormation."""
_PAUSE_S = 5.0
_GONE = ("E_AWS_UNREACHABLE", "E_AWS_UNAVAILABLE")

T = TypeVar("T")


def is_gone(error: GreenroomError) -> bool:
    """Whether it says that AWS does not answer us, rather than what AWS answers."""
    return error.code in _GONE


def outlast(
    ask: Callable[[], T],
    *,
    clock_s: Callable[[], float],
    pause: Callable[[float], None],
    notice: Callable[[str], None],
) -> T:
    """What AWS answers, also after a while without a connection. A request that may have had its
    effect is made again: ``ask`` must not mind.

    ``pause`` sleeps, and may raise to give up. Raises what ``ask`` raises; an error that
    ``is_gone`` only when CONNECTION_PATIENCE_S are over.
    """
    began_s = clock_s()
    told = False
    while True:
        try:
            return ask()
        except GreenroomError as error:
            if not is_gone(error) or clock_s() - began_s > CONNECTION_PATIENCE_S:
                raise
            if not told:
                notice(f"{error.message}; CloudFormation goes on meanwhile")
                told = True
            pause(_PAUSE_S)
