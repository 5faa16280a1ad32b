"""What ``create`` and ``plan`` are asked for: their options, in the seed's spelling too."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from greenroom.cli.options import blueprint_path, file_option
from greenroom.cli.words import named_values, rewrite_words

if TYPE_CHECKING:
    from greenroom.cli.shapes import CreateBody
    from greenroom.model.requests import CreateRequest


class Wanted:
    """The options of a create, checked as far as that is possible without the blueprint."""

    def __init__(
        self,
        machines: tuple[str, ...],
        branch: str | None,
        restore: tuple[str, ...],
        mount: tuple[str, ...],
        shared: tuple[str, ...],
        file: str | None,
    ) -> None:
        self.machines = machines
        self.shared = shared
        self.branch = branch
        self.restore = named_values("--restore", restore)
        self.mounts = {
            name: os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111
            for name, path in named_values("--mount", mount).items()
        }
        self.blueprint: Path = blueprint_path(file)

    def create_body(self) -> CreateBody:
        """The request as the daemon takes it."""
        return {
            "kind": "create",
            "blueprint": str(self.blueprint),
            "machines": list(self.machines),
            "branch": self.branch,
            "restore": self.restore,
            "mounts": self.mounts,
            "shared": list(self.shared),
        }

    def create_request(self) -> CreateRequest:
        """The same as the planner takes it."""
        from greenroom.model.requests import CreateRequest

        return CreateRequest(
            blueprint=self.blueprint,
            machines=self.machines,
            branch=self.branch,
            restore=tuple(self.restore.items()),
            mounts=tuple(self.mounts.items()),
            shared=self.shared,
        )


class RequestCommand(click.Command):
    """A command whose words are first rewritten, see ``greenroom.cli.words``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the seed's spelling, unless a shell asks for completions of half a line."""
        if not ctx.resilient_parsing:
            args = rewrite_words(args, self._valued())
        return super().parse_args(ctx, args)

    def _valued(self) -> frozenset[str]:
        """The options that take exactly the next word; those with types take more."""
        options = [option for option in self.params if isinstance(option, click.Option)]
        return frozenset(
            name
            for option in options
            if not option.is_flag and option.name not in ("machines", "shared")
            for name in option.opts
        )


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a create; they arrive as one ``wanted``."""

    @wraps(command)
    def with_wanted(
        machines: tuple[str, ...],
        branch: str | None,
        restore: tuple[str, ...],
        mount: tuple[str, ...],
        shared: tuple[str, ...],
        file: str | None,
        **others: Any,
    ) -> Any:
        return command(wanted=Wanted(machines, branch, restore, mount, shared, file), **others)

    options = (
        click.option(
            "--machines",
            multiple=True,
            metavar="TYPE[=N] …",
            help="Machine types, each with a number of machines [default: all].",
        ),
        click.option(
            "--shared",
            multiple=True,
            metavar="TYPE[=N] …",
            help="Instead of a branch's: the stack's shared environment, with these types.",
        ),
        click.option("--branch", help="The branch [default: the blueprint's default branch]."),
        click.option(
            "--restore",
            multiple=True,
            metavar="NAME=SOURCE[:cold]",
            help="What a data volume is restored from; 'none' leaves it empty. "
            "Also --restore_NAME SOURCE.",
        ),
        click.option(
            "--mount",
            multiple=True,
            metavar="TYPE=PATH",
            help="Developer mode: your folder in the place of the deployed code.",
        ),
    )
    decorated: Callable[..., Any] = file_option(with_wanted)
    for option in reversed(options):
        decorated = option(decorated)
    return decorated
