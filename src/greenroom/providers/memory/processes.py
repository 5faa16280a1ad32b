"""Programs that only pretend to run: what they print and how they end is told by a test."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from greenroom.errors import OperationError
from greenroom.model.jobs import Command
from greenroom.model.stack import Machine, Stack

KILLED = 137


class MemoryProgram:
    """See the port ``Program``. A test prints with ``write`` and ends it with ``exit``."""

    def __init__(self, command: Command, machine: str | None) -> None:
        self.command = command
        self.machine = machine
        self.is_closed = False
        self._news = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._code: int | None = None

    def write(self, piece: bytes) -> None:
        """Print."""
        with self._news:
            self._pieces.append(piece)
            self._news.notify_all()

    def exit(self, code: int = 0) -> None:
        """End, unless it has."""
        with self._news:
            if self._code is None:
                self._code = code
            self._news.notify_all()

    def read(self, timeout_s: float) -> bytes | None:
        """See the port."""
        with self._news:
            self._news.wait_for(lambda: bool(self._pieces) or self._code is not None, timeout_s)
            if self._pieces:
                return self._pieces.popleft()
            return b"" if self._code is None else None

    def end(self) -> None:
        """See the port."""
        self.exit(KILLED)

    def exit_code(self) -> int:
        """See the port."""
        with self._news:
            self._news.wait_for(lambda: self._code is not None)
            assert self._code is not None
            return self._code

    def close(self) -> None:
        """See the port."""
        self.end()
        self.is_closed = True


@dataclass
class MemoryProcesses:
    """See the port ``Processes``. ``started`` has every program, the oldest first; ``fault`` is
    what the next start ends with."""

    started: list[MemoryProgram] = field(default_factory=list)
    fault: OperationError | OSError | None = None
    left_over_ended: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    def start(self, execution: str, command: Command) -> MemoryProgram:
        """See the port."""
        return self._add(command, None)

    def start_inside(
        self, execution: str, stack: Stack, machine: Machine, command: Command
    ) -> MemoryProgram:
        """See the port."""
        return self._add(command, machine.name)

    def end_left_over(self) -> None:
        """See the port."""
        self.left_over_ended += 1

    def close(self) -> None:
        """See the port."""

    def wait_for(self, count: int, timeout_s: float) -> MemoryProgram:
        """The program that was started as number ``count``, from 1."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.started) >= count, timeout_s):
                raise AssertionError(f"{len(self.started)} programs were started, not {count}")
            return self.started[count - 1]

    def _add(self, command: Command, machine: str | None) -> MemoryProgram:
        if self.fault is not None:
            raise self.fault
        program = MemoryProgram(command, machine)
        with self._news:
            self.started.append(program)
            self._news.notify_all()
        return program
