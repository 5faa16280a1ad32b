"""A declared command as a Click command: for help, completion, and whatever was not plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from greenroom.cli.declare import Argument, Command, Option
from greenroom.errors import GreenroomError

F = TypeVar("F", bound=Callable[..., Any])


def clicked(declared: Command) -> click.Command:
    """The Click command of a declaration."""
    return _Declared(declared)


def decorated(parameter: Option | Argument) -> Callable[[F], F]:
    """The parameter as a decorator, for a command that is declared with Click."""
    if isinstance(parameter, Option):
        return click.option(*parameter.spellings, parameter.name, **_option_details(parameter))
    return click.argument(parameter.name, **_argument_details(parameter))


class _Declared(click.Command):
    """Its words are first rewritten, unless a shell asks for completions of half a line."""

    def __init__(self, declared: Command) -> None:
        super().__init__(
            declared.name,
            callback=declared.run,
            params=[_parameter(each) for each in declared.parameters],
            help=declared.run.__doc__,
        )
        self._declared = declared

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See the class."""
        if not ctx.resilient_parsing:
            args = self._declared.rewritten(args)
        return super().parse_args(ctx, args)


def _parameter(declared: Option | Argument) -> click.Parameter:
    if isinstance(declared, Option):
        return click.Option([*declared.spellings, declared.name], **_option_details(declared))
    return click.Argument([declared.name], **_argument_details(declared))


def _option_details(declared: Option) -> dict[str, Any]:
    details: dict[str, Any] = {"metavar": declared.metavar, "help": declared.help}
    # Left out where it is false: said, it would make the option's value one that may be missing.
    if declared.flag:
        details["is_flag"] = True
    if declared.multiple:
        details["multiple"] = True
    return details


def _argument_details(declared: Argument) -> dict[str, Any]:
    details: dict[str, Any] = {"metavar": declared.metavar, "required": declared.required}
    if declared.many:
        details["nargs"] = -1
    if declared.name == "environment":
        details["shell_complete"] = _complete_environment
    return details


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
