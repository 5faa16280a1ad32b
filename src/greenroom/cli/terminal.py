"""Where output goes: data to stdout, everything said about it to stderr."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

_STYLES = {"good": "32", "bad": "31", "open": "33", "dim": "2", "strong": "1"}


class Paint:
    """Colours for one stream, or none: off a terminal, with NO_COLOR (https://no-color.org)
    and on a dumb terminal text stays text."""

    def __init__(self, stream: TextIO) -> None:
        self.terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self.terminal and not os.environ.get("NO_COLOR")

    def __call__(self, style: str, text: str) -> str:
        """``text`` in a style: good, bad, open, dim or strong; an empty one changes nothing."""
        if not self._colour or not style or not text:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def verdict(self, verdict: str) -> str:
        """A verdict or status in its colour."""
        return self(style_of(verdict), verdict)


def style_of(verdict: str) -> str:
    """The style that fits a verdict or a status."""
    if verdict in ("proved", "ready", "succeeded"):
        return "good"
    return "bad" if verdict in ("failed", "refused", "degraded") else "open"


def say(text: str = "") -> None:
    """One line of the answer, to stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """One line about what happens, to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(value: object) -> None:
    """One JSON document on one line, to stdout, at once: a reader may wait for it."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def pipe_closed() -> int:
    """The exit code for when whoever read our output, such as ``head``, has seen enough: 128 +
    SIGPIPE. What is still buffered goes nowhere, and without a complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141


def interactive() -> bool:
    """Whether a person can be asked: both the question and the answer are at a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()
