"""What the audit log keeps: who asked for what, from where, and how it ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.tokens import without_tokens

MASK = "********"
"""What stands in an entry for a secret."""

PARAMETER_MAX = 200
"""Characters of one parameter that are kept."""

LIST_MAX = 2000
"""As ``PARAMETER_MAX``, of a parameter that is a list, such as a command line."""

Parameters = tuple[tuple[str, str], ...]


class Outcome(StrEnum):
    """How it ended. What takes time is told twice: accepted, and later one of the last three."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the log.

    ``caller`` is a ``Caller.name`` and ``origin`` where they asked from. ``action`` is an
    ``Action``, the kind of an operation, ``login`` or ``login-link``. ``stack`` is empty for what
    concerns no single one; ``subject`` is the environment, token, image or job, or the address of
    a request that names none. ``parameters`` hold no secret. ``reference`` is the operation or
    execution that both its entries belong to.
    """

    caller: str
    origin: str
    action: str
    outcome: Outcome
    stack: str = ""
    subject: str = ""
    parameters: Parameters = ()
    code: str | None = None
    message: str = ""
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """An entry as it was kept: ``seq`` rises by at least one from each to the next."""

    seq: int
    at: datetime
    entry: AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries are asked for; what is None says nothing. ``on`` is a subject or a stack."""

    by: str | None = None
    on: str | None = None
    action: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    reference: str | None = None


def shown(parameters: Mapping[str, object], secret: Collection[str] = ()) -> Parameters:
    """Parameters as the log keeps them: those that say something, shortened, secrets masked."""
    return tuple(
        (name, MASK if name in secret else _clipped(_words(value), _max(value)))
        for name, value in sorted(parameters.items())
        if value not in (None, "", False, (), [], {})
    )


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_words(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return without_tokens(str(value))


def _max(value: object) -> int:
    return LIST_MAX if isinstance(value, list | tuple) else PARAMETER_MAX


def _clipped(text: str, length_max: int) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length_max else text[: length_max - 1] + "…"
