"""The question before something goes that does not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.cli.terminal import interactive
from greenroom.cli.text import clean

if TYPE_CHECKING:
    from greenroom.cli.client import Client


def typed_for_production(
    client: Client, environment: str, confirm: str | None, verb: str, *, as_json: bool
) -> str | None:
    """What --confirm says; else, if the environment is production and somebody sits there, what
    they type when asked for its name."""
    if confirm is not None or as_json or not interactive():
        return confirm
    summary = client.environment(environment)["summary"]
    return typed_name(summary["name"], "production", verb) if summary["production"] else None


def typed_name(environment: str, what: str, verb: str = "destroy") -> str:
    """What the person at the terminal types when asked for the name of an environment that is
    ``what``: production, or protected."""
    import click  # Its prompt is worth the wait to somebody who is asked.

    typed = click.prompt(
        f"{clean(environment)} is {what}. Type its name to {verb} it",
        err=True,
        default="",
        show_default=False,
    )
    return str(typed)
