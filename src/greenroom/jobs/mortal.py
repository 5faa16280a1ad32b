"""An engine whose process dies at a chosen point of an operation, by SIGKILL: for walking through
all of them and looking at what each leaves behind.

The points of an operation are counted from 1: when it is accepted (the ledger has it, the engine
does not); for each step, when its work is done but not recorded, and when it is recorded; and
when it has ended in the ledger, but not in the engine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from greenroom.errors import UsageError
from greenroom.ports import Engine, Steps

VARIABLE = "GREENROOM_DIE_AT"
"""``create:3``: the kind of operation and the point."""


class MortalEngine:
    """The Engine port, on another engine. Counted is what was started here: an operation that
    another daemon began is taken up and no more."""

    def __init__(self, inner: Engine, kind: str, point: int) -> None:
        self._inner = inner
        self._kind = kind
        self._left = point
        self._started: set[str] = set()
        self._lock = threading.Lock()

    def register(self, kind: str, run: Callable[[str, Steps], None]) -> None:
        """See the port."""

        def mortal(operation_id: str, steps: Steps) -> None:
            if operation_id not in self._started:
                run(operation_id, steps)
                return
            run(operation_id, _MortalSteps(steps, self._pass))
            self._pass()

        self._inner.register(kind, mortal if kind == self._kind else run)

    def launch(self) -> None:
        """See the port."""
        self._inner.launch()

    def start(self, kind: str, operation_id: str) -> None:
        """See the port."""
        if kind == self._kind:
            self._started.add(operation_id)
            self._pass()
        self._inner.start(kind, operation_id)

    def close(self) -> None:
        """See the port."""
        self._inner.close()

    def _pass(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class _MortalSteps:
    def __init__(self, inner: Steps, passed: Callable[[], None]) -> None:
        self._inner = inner
        self._passed = passed

    def run(self, name: str, step: Callable[[], str]) -> str:
        """See the port."""

        def work() -> str:
            # A step that fails is a step as well: its error is recorded.
            with passing(self._passed):
                return step()

        with passing(self._passed):
            return self._inner.run(name, work)


@contextlib.contextmanager
def passing(passed: Callable[[], None]) -> Iterator[None]:
    """Pass a point at the end of the block, however it ends."""
    try:
        yield
    finally:
        passed()


def mortal(engine: Engine, asked: str) -> Engine:
    """The engine, or a mortal one if ``asked`` names a point. Raises UsageError."""
    if not asked:
        return engine
    kind, _, point = asked.partition(":")
    if not kind or not point.isdecimal() or int(point) < 1:
        raise UsageError(
            "E_DIE_AT",
            f"{VARIABLE} is {asked!r}: expected a kind and a number, such as create:3",
            hint=f"unset {VARIABLE} for a daemon that lives on",
        )
    return MortalEngine(engine, kind, int(point))
