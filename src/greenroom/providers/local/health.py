"""What machines say of their health, kept safe and bounded: the last word of each.

A machine sends its word to an URL beside its wait handle's, at each change and a few times a
minute besides. Words are kept in memory only: after a restart of the daemon the next ones come
within seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from greenroom.model.inventory import HealthWord
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Stack
from greenroom.providers.hearsay import text
from greenroom.providers.local.residents import Resident

BODY_LIMIT_BYTES = 4096
PROBLEMS_MAX = 5
PROBLEM_CHARACTERS = 300
SILENT_AFTER_S = 90.0
"""Machines speak each 20 s; a host that is busy may delay them."""
TAKEN_EVERY_S = 5.0
"""A machine that changes its mind faster is not heard until then, so that one machine cannot fill
the history of all."""


class HealthBody(BaseModel):
    """What a machine PUTs: nothing, or what is wrong."""

    model_config = ConfigDict(extra="ignore")

    problems: list[str] = Field(max_length=64)


class HealthWords:
    """The last word of each machine. Thread-safe."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._words: dict[EnvironmentName, dict[str, HealthWord]] = {}
        self._listener: Callable[[], None] = lambda: None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` whenever a machine says something new; it must not block."""
        self._listener = listener

    def receive(self, resident: Resident, body: bytes) -> int:
        """Keep a word; returns the HTTP status: 429 for one that comes too soon after another
        that it contradicts."""
        if len(body) > BODY_LIMIT_BYTES:
            return 413
        try:
            parsed = HealthBody.model_validate_json(body)
        except ValidationError:
            return 400
        said = tuple(text(each)[:PROBLEM_CHARACTERS] for each in parsed.problems[:PROBLEMS_MAX])
        now_s = self._monotonic_s()
        with self._lock:
            mine = self._words.setdefault(resident.stack.environment, {})
            before = mine.get(resident.machine.name)
            news = before is None or before.problems != said
            if before is not None and news and now_s - before.changed_s < TAKEN_EVERY_S:
                return 429
            changed_s = now_s if before is None or news else before.changed_s
            mine[resident.machine.name] = HealthWord(
                problems=said, heard_s=now_s, changed_s=changed_s
            )
        if news:
            self._listener()
        return 200

    def problems(self, stack: Stack) -> Mapping[str, tuple[str, ...]]:
        """What is wrong with the machines that have spoken; one that has fallen silent is not
        well."""
        now_s = self._monotonic_s()
        with self._lock:
            mine = dict(self._words.get(stack.environment, {}))
        return {
            name: word.problems if now_s - word.heard_s < SILENT_AFTER_S else (_SILENT,)
            for name, word in mine.items()
        }

    def forget(self, environment: EnvironmentName, machines: tuple[str, ...] | None = None) -> None:
        """Forget what these machines said, or all of the environment: another life begins."""
        with self._lock:
            if machines is None:
                self._words.pop(environment, None)
            else:
                for name in machines:
                    self._words.get(environment, {}).pop(name, None)


_SILENT = f"its agent has said nothing for {SILENT_AFTER_S:g} s"
