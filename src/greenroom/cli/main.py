"""The entry point: finds the command, runs it, and turns its end into an exit code.

Nothing here imports a command before it is called, nor Click before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from greenroom.cli.declare import Command
from greenroom.cli.plain import read
from greenroom.cli.table import COMMANDS
from greenroom.cli.terminal import pipe_closed
from greenroom.errors import GreenroomError

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

COMPLETE_VARIABLE = "_GREENROOM_COMPLETE"


_EXEC_VALUED = ("--provider", "--region", "--profile")
"""Options of ``exec`` that take the next word."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run ``argv`` (default: the process's own) and exit."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A locale without the character must not turn an answer into a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        code = _run(words)
        # Left to the interpreter's end, a reader that has gone would be a complaint on stderr.
        sys.stdout.flush()
    except BrokenPipeError:
        code = pipe_closed()
    except GreenroomError as error:
        code = _report(error, words)
    except KeyboardInterrupt:
        from greenroom.errors import CancelledError

        _report(CancelledError("E_INTERRUPTED", "interrupted"), words)
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


def _run(words: list[str]) -> object:
    """Run the command; without Click where its words are plain."""
    entry = COMMANDS.get(words[0]) if words else None
    if entry is not None and COMPLETE_VARIABLE not in os.environ:
        module = import_module(f"greenroom.cli.commands.{entry.module}")
        command = getattr(module, entry.attribute)
        values = read(command, words[1:]) if isinstance(command, Command) else None
        if values is not None:
            return command.run(**values)
    from greenroom.cli.group import run

    return run(words, COMPLETE_VARIABLE)


def _report(error: GreenroomError, words: Sequence[str]) -> int:
    from greenroom.cli.faults import error_json, error_text
    from greenroom.cli.terminal import Paint, note

    note(error_json(error) if wants_json(words) else error_text(error, Paint(sys.stderr)))
    return error.exit_code


def wants_json(words: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, also where it could not be parsed.

    Words past ``--`` and, for ``exec``, past the first that is no option belong to another
    program.
    """
    for position, word in enumerate(words):
        if word == "--":
            return False
        if word == "--json":
            return True
        valued = words[position - 1] in _EXEC_VALUED
        if position > 0 and words[0] == "exec" and not valued and not word.startswith("-"):
            return False
    return False
