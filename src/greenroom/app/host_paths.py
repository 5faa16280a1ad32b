"""Who may name files of this host. The daemon reads them as root, so whoever names one reads as
root too: the faults of a file that is no blueprint quote it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from greenroom.app.history import known_blueprints
from greenroom.app.rights import require_somewhere
from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, Action, Caller, allows
from greenroom.model.requests import CreateRequest


def may_name_path(caller: Caller) -> bool:
    """Whether the caller may name any file or folder of this host: only who is operator of every
    stack, and could read it anyway."""
    return allows(caller, Action.IMAGES, EVERY_STACK, production=False)


def require_blueprint(
    connection: Connection, caller: Caller, action: Action, blueprint: Path
) -> None:
    """Refuse a path that the caller may not name; ask it before the file is touched.

    Others take the blueprints that the ledger knows for the stacks on which they may do
    ``action``, spelt just so: a link that leads to one could lead elsewhere a moment later.
    Raises RefusedError E_FORBIDDEN.
    """
    if may_name_path(caller):
        return
    for known in known_blueprints(connection):
        if known.path == blueprint and allows(caller, action, known.stack, production=False):
            return
    # Who may do it nowhere is not to look for another path.
    require_somewhere(caller, action)
    raise RefusedError(
        "E_FORBIDDEN",
        f"{blueprint} is no blueprint that {caller.name} may name for {action}",
        hint="take one that an environment of your stack was created from, by its full path; an "
        "operator of every stack may name any",
    )


def require_request(connection: Connection, caller: Caller, request: CreateRequest) -> None:
    """Refuse a create that names what the caller may not: its blueprint, or folders to mount.
    Raises RefusedError E_FORBIDDEN."""
    require_blueprint(connection, caller, Action.CREATE, request.blueprint)
    if request.mounts and not may_name_path(caller):
        machine_type, folder = request.mounts[0]
        raise RefusedError(
            "E_FORBIDDEN",
            f"--mount {machine_type}={folder}: mounting a folder of the host takes the role "
            f"operator on every stack; {caller.name} has it not",
            hint="leave the mount out, or ask an operator of every stack to create it",
        )
