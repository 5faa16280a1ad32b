"""``greenroom completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from greenroom.cli.group import cli
from greenroom.cli.main import COMPLETE_VARIABLE
from greenroom.cli.options import json_option
from greenroom.cli.terminal import say, say_json


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
def completion(shell: str, as_json: bool) -> None:
    """Print the completion script for a shell.

    \b
      bash  eval "$(greenroom completion bash)"            in ~/.bashrc
      zsh   eval "$(greenroom completion zsh)"             in ~/.zshrc
      fish  greenroom completion fish | source             in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "greenroom", COMPLETE_VARIABLE).source()
    if as_json:
        say_json({"shell": shell, "script": script})
    else:
        say(script.rstrip("\n"))
