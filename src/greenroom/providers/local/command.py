"""The one door for running a program: argv is data, output is captured, time is bounded."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from greenroom.errors import HostError, OperationError

_TAIL_LINES = 12


def run(
    argv: Sequence[str], *, timeout_s: float, stdin: str | None = None, cwd: str | None = None
) -> str:
    """Run a program to its end and return what it wrote on stdout.

    Raises HostError if there is no such program, OperationError (E_COMMAND) with the last lines
    of its stderr if it fails or outlives ``timeout_s``.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            cwd=cwd,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError(
            "E_NO_PROGRAM",
            f"the program {argv[0]!r} is not installed",
            hint="run `greenroom doctor`: it names the package",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(
            "E_COMMAND", f"{argv[0]} did not end within {timeout_s:g} s: {' '.join(argv)}"
        ) from error
    if done.returncode != 0:
        raise OperationError(
            "E_COMMAND",
            f"{argv[0]} ended with {done.returncode}: {tail(done.stderr or done.stdout)}",
        )
    return done.stdout


def tail(text: str, lines: int = _TAIL_LINES) -> str:
    """The last lines of a program's output, for an error."""
    return "\n".join(text.strip().splitlines()[-lines:])
