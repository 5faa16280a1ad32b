"""Every error that a person can meet, in four families by what the reader must do.

A message names the value and the object; ``hint`` is the next step; ``code`` is stable, so that
scripts and documentation can refer to it. Only the CLI turns an error into an exit code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing wrong with an input, with the place where it stands.

    ``line`` and ``column`` count from 1, as editors do; 0 when the place is unknown. Not a
    dataclass, because ``dataclasses`` imports ``inspect``: 10 ms of each command of the CLI.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}"


class GreenroomError(Exception):
    """The root: anything that greenroom raises on purpose."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        faults: Sequence[Fault] = (),
        stack: str = "",
    ) -> None:
        """``stack`` is the one whose operators should learn of it, where that is known."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.faults = tuple(faults)
        self.stack = stack


class InputError(GreenroomError):
    """Mend the input: a blueprint, an option, a name."""


class OptionsError(InputError):
    """As InputError; ``options`` has what is wrong with each of a job's options, by its name, so
    that a form can say it beside the field."""

    def __init__(
        self, code: str, message: str, *, options: Mapping[str, str], hint: str = ""
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.options = dict(options)


class UsageError(GreenroomError):
    """Mend the command line."""

    exit_code = 2


class HostError(GreenroomError):
    """Prepare the machine: a tool, a right or a resource is missing."""


class OperationError(GreenroomError):
    """The operation failed; the reason says whether another try can help."""


class CancelledError(OperationError):
    """Somebody asked for the operation to stop."""


class NotProvedError(GreenroomError):
    """Everything ran, but the proof does not hold."""

    exit_code = 3


class RefusedError(GreenroomError):
    """Greenroom will not do this as asked: protection, exclusion, or a right that is missing."""

    exit_code = 4


class LoginError(RefusedError):
    """Say who you are: a token is missing, or does not open this any more."""


class BusyError(RefusedError):
    """Come again later: too much is asked at once. ``retry_s`` says when."""

    def __init__(self, code: str, message: str, *, retry_s: float, hint: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.retry_s = retry_s


class BugError(GreenroomError):
    """A state that our own code should have made impossible: report it."""
