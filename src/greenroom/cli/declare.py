"""A command as a declaration: what it is called, what it takes, what it does.

Most commands are declared so, and not with Click's decorators, because Click takes three times as
long to import as Python to start. Words that are plainly well-formed are read by ``plain``; for
all others, for help and for completion ``clicked`` makes a Click command of the same declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence


class Option:
    """An option. It takes one word, or none if it is a ``flag``; ``multiple`` collects them."""

    def __init__(
        self,
        *spellings: str,
        name: str | None = None,
        metavar: str | None = None,
        flag: bool = False,
        multiple: bool = False,
        help: str,
    ) -> None:
        self.spellings = spellings
        self.name = name or spellings[-1].removeprefix("--").replace("-", "_")
        self.metavar = metavar
        self.flag = flag
        self.multiple = multiple
        self.help = help

    @property
    def unset(self) -> object:
        """What the command gets when nobody wrote the option."""
        if self.flag:
            return False
        return () if self.multiple else None


class Argument:
    """A word without an option; ``many`` takes all that are left."""

    def __init__(
        self, name: str, *, metavar: str, required: bool = True, many: bool = False
    ) -> None:
        self.name = name
        self.metavar = metavar
        self.required = required
        self.many = many


Rewrite = Callable[[Sequence[str], Collection[str]], list[str]]


class Command:
    """``run`` gets every parameter by its name. ``rewrite`` makes the words readable first."""

    def __init__(
        self,
        name: str,
        parameters: Sequence[Option | Argument],
        run: Callable[..., None],
        rewrite: Rewrite | None,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.run = run
        self.rewrite = rewrite

    @property
    def options(self) -> list[Option]:
        """The parameters that are options."""
        return [each for each in self.parameters if isinstance(each, Option)]

    @property
    def arguments(self) -> list[Argument]:
        """The parameters that are not."""
        return [each for each in self.parameters if isinstance(each, Argument)]

    def rewritten(self, words: Sequence[str]) -> list[str]:
        """The words as options take them; raises UsageError."""
        if self.rewrite is None:
            return list(words)
        valued = {
            spelling for option in self.options if not option.flag for spelling in option.spellings
        }
        return self.rewrite(words, valued)


def command(
    name: str, *parameters: Option | Argument, rewrite: Rewrite | None = None
) -> Callable[[Callable[..., None]], Command]:
    """Declare the function to be a command; its docstring is the help."""
    return lambda run: Command(name, parameters, run, rewrite)


BLUEPRINT_NAME = "greenroom.yaml"

JSON = Option("--json", name="as_json", flag=True, help="Print JSON on stdout, streams as NDJSON.")
FILE = Option(
    "-f",
    "--file",
    metavar="BLUEPRINT",
    help=f"The blueprint [default: {BLUEPRINT_NAME} in this folder or a parent].",
)
ENVIRONMENT = Argument("environment", metavar="ENV")
"""A slug, a branch or ``stack/slug``."""
ANY_ENVIRONMENT = Argument("environment", metavar="ENV", required=False)
"""The same, for what may also mean the only one there is."""
