"""What the agent does and how long it took; the signal and the phase file are made of it."""

from __future__ import annotations

import os
import time

from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Progress:
    """Phases with their seconds, notices for people, and one line about the present."""

    def __init__(self, phase_file: str, *, quiet: bool = False) -> None:
        self.phases: list[tuple[str, float]] = []
        self.notices: list[str] = []
        self.current = "starting"
        self._phase_file = phase_file
        self._quiet = quiet
        os.makedirs(os.path.dirname(phase_file), exist_ok=True)

    def phase(self, name: str) -> _Phase:
        """A context manager that times ``name``."""
        return _Phase(self, name)

    def doing(self, text: str) -> None:
        """Leave word of what happens now, for whoever asks when it takes too long."""
        self.current = text
        self.log(f"{text} …")
        with open(self._phase_file, "w", encoding="utf-8") as file:
            file.write(text + "\n")

    def notice(self, text: str) -> None:
        """Something that a person should know although nothing failed."""
        self.notices.append(text)
        self.log(text)

    def log(self, text: str) -> None:
        """One line for the log of the user data."""
        if not self._quiet:
            print(text, flush=True)


class _Phase:
    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._started = 0.0

    def __enter__(self) -> None:
        self._started = time.monotonic()
        self._progress.doing(self._name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seconds = round(time.monotonic() - self._started, 4)
        self._progress.phases.append((self._name, seconds))
        self._progress.log(f"{self._name}: {seconds:.3f} s" + (" (failed)" if error else ""))
