"""The entry point: finds the command, runs it, and turns its end into an exit code.

Nothing here imports a command before it is called: a command pays for its own imports only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from greenroom import __version__
from greenroom.cli.table import COMMANDS, DESCRIPTION, EPILOG, WIDEST
from greenroom.errors import GreenroomError

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

PIPE_CLOSED = 141
"""128 + SIGPIPE: whoever read our output, such as ``head``, has seen enough."""

COMPLETE_VARIABLE = "_GREENROOM_COMPLETE"


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
        """Run the command and write out what is buffered.

        Left to the interpreter's end, a reader that has gone would be a complaint on stderr.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(PIPE_CLOSED) from None
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


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run ``argv`` (default: the process's own) and exit."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A locale without the character must not turn an answer into a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        code = cli.main(
            words,
            prog_name="greenroom",
            complete_var=COMPLETE_VARIABLE,
            standalone_mode=False,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = 2
    except click.ClickException as error:
        from greenroom.cli.faults import usage_error_of

        code = _report(usage_error_of(error), words)
    except GreenroomError as error:
        code = _report(error, words)
    except (click.Abort, KeyboardInterrupt):
        from greenroom.errors import CancelledError

        _report(CancelledError("E_INTERRUPTED", "interrupted"), words)
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: GreenroomError, words: Sequence[str]) -> int:
    from greenroom.cli.faults import error_json, error_text
    from greenroom.cli.terminal import Paint, note

    note(error_json(error) if wants_json(words) else error_text(error, Paint(sys.stderr)))
    return error.exit_code


def wants_json(words: Sequence[str]) -> bool:
    """Whether the command line asks for JSON, also where it could not be parsed.

    Words past ``--`` and, for ``exec``, past the first that is no option belong to another
    program.
    """
    for position, word in enumerate(words):
        if word == "--":
            return False
        if word == "--json":
            return True
        if position > 0 and words[0] == "exec" and not word.startswith("-"):
            return False
    return False
