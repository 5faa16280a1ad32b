"""The words that a job's declaration chooses from; apart from what is made of them, so that a
blueprint can be read without it."""

from __future__ import annotations

from enum import StrEnum


class OptionKind(StrEnum):
    """What the value of an option must be."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    SECRET = "secret"
    """Given at each run, kept nowhere, masked in all that is told of the execution."""
    DATE = "date"
    """``2026-11-23``; also ``today`` and ``yesterday``, in the schedule's time zone or UTC."""
    ENVIRONMENT = "environment"
    """An environment of the job's stack."""
    MACHINE = "machine"
    """A machine of the environment that another option names."""


class Missed(StrEnum):
    """What becomes of a schedule's times that passed while the daemon was down."""

    SKIP = "skip"
    RUN = "run"
    """Once, however many times passed."""


class Outcome(StrEnum):
    """What a notification waits for."""

    SUCCESS = "success"
    FAILURE = "failure"
