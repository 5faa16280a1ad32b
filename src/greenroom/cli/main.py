"""The entry point: finds the command, runs it, and turns its end into an exit code.

Nothing here imports a command before it is called: ``--help`` answers from the table below, and
a command pays for its own imports only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

import click

from greenroom import __version__
from greenroom.errors import GreenroomError

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

PIPE_CLOSED = 141
"""128 + SIGPIPE: whoever read our output, such as ``head``, has seen enough."""

COMPLETE_VARIABLE = "_GREENROOM_COMPLETE"


class _Entry(NamedTuple):
    """Where a command lives, and the line that ``--help`` shows (its docstring's first)."""

    module: str
    attribute: str
    summary: str
    hidden: bool = False


COMMANDS = {
    "create": _Entry("create", "create", "Boot a branch: machines, data, firewall, proof."),
    "plan": _Entry("plan", "plan", "Print what create would boot; touch nothing."),
    "list": _Entry("list", "list_environments", "List the environments."),
    "show": _Entry("show", "show", "Show an environment: machines, phases, restores, proof."),
    "open": _Entry("open", "open_environment", "Print an environment's URL and open it."),
    "shell": _Entry("shell", "shell", "Open a shell in a machine (alias: ssh)."),
    "ssh": _Entry("shell", "shell", "Open a shell in a machine.", hidden=True),
    "exec": _Entry("exec", "exec_command", "Run a command in a machine."),
    "logs": _Entry("logs", "logs", "Print the logs of an environment's services."),
    "flows": _Entry("flows", "flows", "Probe who reaches whom, and judge it."),
    "deploy": _Entry("deploy", "deploy", "Deploy the current artifacts to a running environment."),
    "cancel": _Entry("cancel", "cancel", "Stop what runs on an environment, and take it back."),
    "destroy": _Entry("destroy", "destroy", "Remove an environment and print the receipt."),
    "doctor": _Entry("doctor", "doctor", "Say what this host lacks, and what mends it."),
    "schema": _Entry("schema", "schema", "Print the blueprint's JSON Schema."),
    "serve": _Entry("serve", "serve", "Run the daemon in the foreground, or stop it."),
    "image": _Entry("image", "image", "Build, list and remove machine images."),
    "completion": _Entry("completion", "completion", "Print the completion script for a shell."),
}


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
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 ok, 1 failed, 2 usage, 3 not proved, 4 refused. "
    "Every command takes --json: data on stdout, errors as one JSON line on stderr.",
)
@click.version_option(__version__, prog_name="greenroom")
def cli() -> None:
    """A copy of production for every branch: real servers, real firewalls, a restored database,
    and the proof.
    """


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
