"""What ``create`` and ``plan`` are asked for: their options, in the seed's spelling too."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from greenroom.cli.declare import BLUEPRINT_NAME, FILE, Option
from greenroom.cli.transport import TOKEN_VARIABLE
from greenroom.cli.words import named_values
from greenroom.errors import InputError, UsageError
from greenroom.model.durations import parse_duration_s

if TYPE_CHECKING:
    from greenroom.cli.shapes import CreateBody
    from greenroom.model.requests import CreateRequest

_STACK = re.compile(r"""^stack:[ \t]+(["']?)(?P<name>[a-z0-9-]+)\1[ \t]*(#.*)?$""", re.MULTILINE)


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
        owner: str | None = None,
        ttl: str | None = None,
    ) -> None:
        self.machines = machines
        self.shared = shared
        self.branch = branch
        self.restore = named_values("--restore", restore)
        self.mounts = {
            name: os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111
            for name, path in named_values("--mount", mount).items()
        }
        self.owner = owner
        self.ttl_s = ttl_of("--ttl", ttl)
        self.file = file
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
            "owner": self.owner or _asker(),
            "ttl_s": self.ttl_s,
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
            owner=self.owner,
            ttl_s=self.ttl_s,
        )


REQUEST = (
    Option(
        "--machines",
        multiple=True,
        metavar="TYPE[=N] …",
        help="Machine types, each with a number of machines [default: all].",
    ),
    Option(
        "--shared",
        multiple=True,
        metavar="TYPE[=N] …",
        help="Instead of a branch's: the stack's shared environment, with these types.",
    ),
    Option("--branch", help="The branch [default: the blueprint's default branch]."),
    Option(
        "--restore",
        multiple=True,
        metavar="NAME=SOURCE[:cold]",
        help="What a data volume is restored from; 'none' leaves it empty. "
        "Also --restore_NAME SOURCE.",
    ),
    Option(
        "--mount",
        multiple=True,
        metavar="TYPE=PATH",
        help="Developer mode: your folder in the place of the deployed code.",
    ),
    Option(
        "--owner",
        metavar="NAME",
        help="Whom it is for [default: the token's owner, else who is logged in].",
    ),
    Option(
        "--ttl",
        metavar="DURATION",
        help="How long it lives, such as 8h or 2d [default: as the blueprint says].",
    ),
    FILE,
)
"""The options of a create; together they make a ``Wanted``."""

UPDATE_REQUEST = (
    Option(
        "--machines",
        multiple=True,
        metavar="TYPE[=N] …",
        help="Machine types, each with a number of machines [default: those that it was last "
        "asked for].",
    ),
    *(option for option in REQUEST if option.name in ("branch", "restore", "file")),
)
"""Those of an update: what only a local create takes is not among them."""


def ttl_of(what: str, text: str | None) -> float | None:
    """A duration of the command line in seconds; raises UsageError."""
    if text is None:
        return None
    try:
        return parse_duration_s(text)
    except ValueError as exc:
        raise UsageError(
            "E_USAGE",
            f"{what}: {exc}",
            hint=f"such as {what} 8h" if what.startswith("--") else "such as 8h or 2d",
        ) from exc


def _asker() -> str | None:
    """Who types this, for the daemon only sees root. None where a token asks: the daemon knows
    whose that is, and they are to be warned of an end, not whoever has set it here."""
    if os.environ.get(TOKEN_VARIABLE):
        return None
    names = (os.environ.get(name, "") for name in ("SUDO_USER", "USER", "LOGNAME"))
    return next((name for name in names if name), "root")


def blueprint_path(file: str | None) -> Path:
    """The blueprint that is meant, absolute; raises InputError if there is none."""
    here = Path.cwd()
    if file is not None:
        path = here / Path(file).expanduser()
        if path.is_dir():
            raise InputError(
                "E_BLUEPRINT_MISSING",
                f"{file} is a folder, not a blueprint",
                hint=f"name the file in it: --file {os.path.join(file, BLUEPRINT_NAME)}",  # noqa: PTH118
            )
        if not path.is_file():
            raise InputError(
                "E_BLUEPRINT_MISSING",
                f"there is no blueprint file {file}",
                hint="docs/blueprint.md tells how to write one; greenroom schema prints its schema",
            )
        return path.resolve()
    found = _nearest_blueprint(here)
    if found is not None:
        return found
    raise InputError(
        "E_BLUEPRINT_MISSING",
        f"there is no {BLUEPRINT_NAME} in {here} or in a folder above it",
        hint="go to the folder that has it, or name it with --file",
    )


def stack_here() -> str | None:
    """The stack of the blueprint that ``create`` would take here; None if there is none, or none
    that says so. Read by eye, not parsed: a fault further down must not hide which stack it is."""
    found = _nearest_blueprint(Path.cwd())
    if found is None:
        return None
    try:
        match = _STACK.search(found.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return None if match is None else match["name"]


def _nearest_blueprint(here: Path) -> Path | None:
    places = (folder / BLUEPRINT_NAME for folder in (here, *here.parents))
    return next((place for place in places if place.is_file()), None)
