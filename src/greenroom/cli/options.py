"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from greenroom.errors import GreenroomError, InputError

F = TypeVar("F", bound=Callable[..., Any])

BLUEPRINT_NAME = "greenroom.yaml"


def json_option(command: F) -> F:
    """``--json``, on every command; arrives as ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON on stdout, streams as NDJSON."
    )(command)


def file_option(command: F) -> F:
    """``-f BLUEPRINT``; arrives as ``file``."""
    return click.option(
        "-f",
        "--file",
        metavar="BLUEPRINT",
        help=f"The blueprint [default: {BLUEPRINT_NAME} in this folder or a parent].",
    )(command)


def environment_argument(*, required: bool) -> Callable[[F], F]:
    """``ENV``: a slug, a branch or ``stack/slug``; arrives as ``environment``."""
    return click.argument(
        "environment", metavar="ENV", required=required, shell_complete=_complete_environment
    )


def blueprint_path(file: str | None) -> Path:
    """The blueprint that is meant, absolute; raises InputError if there is none."""
    here = Path.cwd()
    if file is not None:
        path = here / Path(file).expanduser()
        if not path.is_file():
            raise InputError("E_BLUEPRINT_MISSING", f"there is no blueprint file {file}")
        return path.resolve()
    for folder in (here, *here.parents):
        if (folder / BLUEPRINT_NAME).is_file():
            return folder / BLUEPRINT_NAME
    raise InputError(
        "E_BLUEPRINT_MISSING",
        f"there is no {BLUEPRINT_NAME} in {here} or in a folder above it",
        hint="go to the folder that has it, or name it with --file",
    )


def _complete_environment(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The slugs that a running daemon knows; completion never starts one."""
    from greenroom.cli.client import Client
    from greenroom.region import Region

    try:
        client = Client(str(Region.from_environment().socket_path))
        known = client.environments() if client.accepts() else []
    except (GreenroomError, OSError):
        return []
    slugs = [environment["name"].partition("/")[2] for environment in known]
    return [CompletionItem(slug) for slug in slugs if slug.startswith(incomplete)]
