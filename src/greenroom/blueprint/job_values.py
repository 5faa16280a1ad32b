"""Whether a text is a value of a job's option, and what is wrong with it if not."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from greenroom.blueprint.fields import has_control_characters, shown
from greenroom.blueprint.nearest import unknown
from greenroom.model.job_words import OptionKind

if TYPE_CHECKING:
    from greenroom.model.jobs import JobOption

VALUE_BYTES_MAX = 8192
SECRET_LENGTH_MIN = 4
"""Shorter ones could only be masked together with half of all other text."""
DATE_WORDS = ("today", "yesterday")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS = ("true", "false")


def value_problem(option: JobOption, text: str) -> str | None:
    """What is wrong with ``text`` as a value of ``option``, in words that never quote a secret;
    None if nothing is. That an environment or a machine exists is for the control plane to say."""
    size = len(text.encode(errors="surrogatepass"))
    if size > VALUE_BYTES_MAX:
        return f"has {size} bytes; expected at most {VALUE_BYTES_MAX}"
    if has_control_characters(text, allowed="\n\t\r"):
        return "holds control characters; expected text"
    if option.kind is OptionKind.SECRET and len(text) < SECRET_LENGTH_MIN:
        return f"is shorter than {SECRET_LENGTH_MIN} characters; a log could not be masked for it"
    return _kind_problem(option, text) or _pattern_problem(option, text)


def _kind_problem(option: JobOption, text: str) -> str | None:
    match option.kind:
        case OptionKind.INTEGER:
            return _integer_problem(option, text)
        case OptionKind.BOOLEAN if text not in _BOOLEANS:
            return f"{shown(text)} is not true or false"
        case OptionKind.CHOICE if text not in option.choices:
            return unknown("choice", text, option.choices)
        case OptionKind.DATE if not _is_date(text):
            return f"{shown(text)} is not a date such as 2026-11-23, today or yesterday"
        case _:
            return None


def _integer_problem(option: JobOption, text: str) -> str | None:
    if not _INTEGER.fullmatch(text):
        return f"{shown(text)} is not a whole number"
    value = int(text)
    if option.minimum is not None and value < option.minimum:
        return f"{text} is out of range; expected at least {option.minimum}"
    if option.maximum is not None and value > option.maximum:
        return f"{text} is out of range; expected at most {option.maximum}"
    return None


def _pattern_problem(option: JobOption, text: str) -> str | None:
    if option.pattern is None or re.fullmatch(option.pattern, text):
        return None
    value = "the value" if option.kind is OptionKind.SECRET else shown(text)
    return f"{value} does not match {option.pattern}"


def _is_date(text: str) -> bool:
    if text in DATE_WORDS:
        return True
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
