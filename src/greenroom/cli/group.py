"""All commands as one Click group: for help, completion, and words that were not plain.

Nothing here imports a command before it is called: a command pays for its own imports only.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from greenroom import __version__
from greenroom.cli.clicked import clicked
from greenroom.cli.declare import Command
from greenroom.cli.table import COMMANDS, DESCRIPTION, EPILOG, WIDEST
from greenroom.cli.terminal import pipe_closed


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names that ``--help`` and the completion offer."""
        return [name for name, entry in COMMANDS.items() if not entry.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"greenroom.cli.commands.{entry.module}")
        command = getattr(module, entry.attribute)
        if isinstance(command, Command):
            return clicked(command)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click does, but the suggestions come from the table."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(
                args[0], possibilities=self.list_commands(ctx), ctx=ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and write out what is buffered: Click would make a closed pipe a
        failure."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise click.exceptions.Exit(pipe_closed()) from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, entry.summary) for name, entry in COMMANDS.items() if not entry.hidden]
            )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    help=DESCRIPTION,
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="greenroom")
def cli() -> None:
    """The group itself does nothing."""


def run(words: list[str], complete_variable: str) -> object:
    """Let Click read the words and run the command; the exit code, if it is a number.

    Raises GreenroomError, which is also what becomes of Click's complaints, and
    KeyboardInterrupt.
    """
    try:
        return cli.main(
            words, prog_name="greenroom", complete_var=complete_variable, standalone_mode=False
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        from greenroom.cli.faults import usage_error

        context = error.ctx if isinstance(error, click.UsageError) else None
        path = None if context is None else context.command_path
        raise usage_error(error.format_message(), path) from error
    except click.Abort as error:
        raise KeyboardInterrupt from error
