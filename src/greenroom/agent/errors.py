"""Why a machine cannot become what it should: the message is the reason that it signals."""

from __future__ import annotations


class AgentError(Exception):
    """A failure with a reason for people; it ends the boot."""


class StoppedError(AgentError):
    """SIGTERM came, or the deadline passed: what is under way is undone as after any failure."""


def one_line(error: BaseException) -> str:
    """An operating system's error as people read it, without Python's decoration."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror[:1].lower()}{error.strerror[1:]}"
    return str(error) or type(error).__name__
