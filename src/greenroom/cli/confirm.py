"""The question before something goes that does not come back."""

from __future__ import annotations

from greenroom.cli.text import clean


def typed_name(environment: str, what: str) -> str:
    """What the person at the terminal types when asked for the name of an environment that is
    ``what``: production, or protected."""
    import click  # Its prompt is worth the wait to somebody who is asked.

    typed = click.prompt(
        f"{clean(environment)} is {what}. Type its name to destroy it",
        err=True,
        default="",
        show_default=False,
    )
    return str(typed)
