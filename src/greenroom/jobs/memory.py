"""An engine in memory: as strict as the durable one, as fast as a function call.

Its ``History`` plays the part of the database: hand the same one to a second engine, and that
goes on where the first one died.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from greenroom.jobs.outcome import capture, release
from greenroom.jobs.stopping import stopping
from greenroom.ports import Steps

_logger = logging.getLogger(__name__)


class Crash(BaseException):
    """What a test raises where the process would be killed: nobody catches it, nothing is
    recorded, and the thread ends."""


@dataclass(slots=True)
class Recorded:
    """What the engine remembers of one operation."""

    kind: str
    steps: list[tuple[str, str]] = field(default_factory=list)
    returned: bool = False
    raised: bool = False


History = dict[str, Recorded]


class MemoryEngine:
    """Runs each operation in a thread of its own.

    ``crash_after`` names a step whose end is the last thing that this engine records.
    """

    def __init__(self, history: History | None = None, *, crash_after: str | None = None) -> None:
        self._history: History = {} if history is None else history
        self._crash_after = crash_after
        self._runs: dict[str, Callable[[str, Steps], None]] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._launched = False
        self._closing = False

    def register(self, kind: str, run: Callable[[str, Steps], None]) -> None:
        """``run(operation_id, steps)`` is what an operation of that kind does."""
        self._runs[kind] = run

    def launch(self) -> None:
        """Start, and resume what a crash interrupted."""
        self._launched = True
        for operation_id, recorded in list(self._history.items()):
            if recorded.raised:
                del self._history[operation_id]
            elif not recorded.returned:
                self._spawn(operation_id, recorded)

    def start(self, kind: str, operation_id: str) -> None:
        """Begin an operation in the background; the id makes it idempotent."""
        if kind not in self._runs or not self._launched:
            raise RuntimeError(f"{kind!r} is not registered, or the engine is not launched")
        with self._lock:
            if self._closing:
                raise stopping(kind)
            if operation_id in self._history:
                return
            recorded = self._history[operation_id] = Recorded(kind)
        self._spawn(operation_id, recorded)

    def close(self) -> None:
        """Stop taking work and wait for what runs."""
        with self._lock:
            self._closing = True
        for thread in tuple(self._threads.values()):
            thread.join()

    def _spawn(self, operation_id: str, recorded: Recorded) -> None:
        thread = threading.Thread(
            target=self._run, args=(operation_id, recorded), name=operation_id, daemon=True
        )
        self._threads[operation_id] = thread
        thread.start()

    def _run(self, operation_id: str, recorded: Recorded) -> None:
        try:
            self._runs[recorded.kind](operation_id, _MemorySteps(recorded, self._crash_after))
        except Crash:
            return
        except Exception:
            _logger.exception("operation %s raised", operation_id)
            recorded.raised = True
        else:
            recorded.returned = True


class _MemorySteps:
    def __init__(self, recorded: Recorded, crash_after: str | None) -> None:
        self._recorded = recorded
        self._crash_after = crash_after
        self._next = 0

    def run(self, name: str, step: Callable[[], str]) -> str:
        """Run ``step`` once and remember its result; at-least-once."""
        position = self._next
        self._next += 1
        if position < len(self._recorded.steps):
            recorded_name, outcome = self._recorded.steps[position]
            if recorded_name != name:
                raise RuntimeError(f"step {position} was {recorded_name!r} and now is {name!r}")
            return release(outcome)
        outcome = capture(step)
        self._recorded.steps.append((name, outcome))
        if name == self._crash_after:
            raise Crash(name)
        return release(outcome)
