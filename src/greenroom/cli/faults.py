"""An error as a person reads it, and as a program does."""

from __future__ import annotations

import json

from greenroom.cli.terminal import Paint
from greenroom.cli.text import clean
from greenroom.errors import GreenroomError, UsageError


def usage_error(message: str, command_path: str | None) -> GreenroomError:
    """A complaint about the command line as one of ours."""
    hint = "" if command_path is None else f"{command_path} --help"
    return UsageError("E_USAGE", message, hint=hint)


def error_text(error: GreenroomError, paint: Paint) -> str:
    """The error, its faults and its next step. Several lines: each one is cleaned by itself."""
    first, *more = error.message.splitlines() or [""]
    lines = [f"{paint('bad', f'error {clean(error.code)}:')} {clean(first)}"]
    lines += [f"  {clean(line)}" for line in more]
    lines += [f"  {clean(str(fault))}" for fault in error.faults]
    lines += [f"{paint('dim', '→')} {clean(line)}" for line in error.hint.splitlines()]
    return "\n".join(lines)


def error_json(error: GreenroomError) -> str:
    """The error as one line of JSON."""
    faults = [
        {
            "file": fault.file,
            "line": fault.line,
            "column": fault.column,
            "path": fault.path,
            "message": fault.message,
        }
        for fault in error.faults
    ]
    problem = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "faults": faults,
    }
    return json.dumps({"error": problem}, ensure_ascii=False)
