"""Options and arguments that several commands share, as Click's decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from greenroom.cli.clicked import decorated
from greenroom.cli.declare import ANY_ENVIRONMENT, ENVIRONMENT, FILE, JSON
from greenroom.cli.provider import AWS

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """``--json``, on every command; arrives as ``as_json``."""
    return decorated(JSON)(command)


def file_option(command: F) -> F:
    """``-f BLUEPRINT``; arrives as ``file``."""
    return decorated(FILE)(command)


def environment_argument(*, required: bool) -> Callable[[F], F]:
    """``ENV``: a slug, a branch or ``stack/slug``; arrives as ``environment``."""
    return decorated(ENVIRONMENT if required else ANY_ENVIRONMENT)


def aws_options(command: F) -> F:
    """``--provider``, ``--region`` and ``--profile``; they arrive by these names."""
    for option in reversed(AWS):
        command = decorated(option)(command)
    return command
