"""Proving again and again, until somebody has seen enough."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from greenroom.cli.changes import change_lines, changes_between
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean
from greenroom.errors import RefusedError

if TYPE_CHECKING:
    from greenroom.cli.shapes import ProofReply

EVERY_S = 2.0
"""From the end of one proof to the next."""


class _EndedError(Exception):
    """Somebody has seen enough."""


def watched(
    prove: Callable[[], ProofReply], tell_all: Callable[[ProofReply, bool], None], as_json: bool
) -> ProofReply:
    """Prove until a signal; the last proof. ``tell_all`` prints the first one, then only changes
    are printed. Raises KeyboardInterrupt if the signal came before the first."""
    paint = Paint(sys.stdout)
    last: ProofReply | None = None
    refused = ""
    with _interruptible() as ended:
        while not ended():
            try:
                with ended.waiting():
                    proof = prove()
            except RefusedError as error:
                # An operation runs on it: that passes.
                if error.message != refused and not as_json:
                    say(f"cannot be proved now: {clean(error.message)}")
                refused = error.message
            except _EndedError:
                break
            else:
                refused = ""
                changes = None if last is None else changes_between(last, proof)
                if last is None:
                    tell_all(proof, as_json)
                elif changes is not None and as_json:
                    say_json(changes)
                elif changes is not None:
                    for line in change_lines(changes, paint):
                        say(line)
                last = proof
            sys.stdout.flush()
            try:
                with ended.waiting():
                    time.sleep(EVERY_S)
            except _EndedError:
                break
    if last is None:
        raise KeyboardInterrupt
    return last


class _Ending:
    """Counts SIGINT and SIGTERM; they break off what waits, and nothing that prints."""

    def __init__(self) -> None:
        self._told = False
        self._waiting = False

    def __call__(self) -> bool:
        """Whether one has come."""
        return self._told

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """What is inside may be broken off by _EndedError."""
        self._waiting = True
        try:
            if self._told:
                raise _EndedError
            yield
        finally:
            self._waiting = False

    def tell(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self._told = True
        if self._waiting:
            raise _EndedError


@contextmanager
def _interruptible() -> Iterator[_Ending]:
    ending = _Ending()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ending.tell) for number in numbers]
    try:
        yield ending
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
