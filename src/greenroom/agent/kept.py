"""Folders of the code that outlive its releases: they lie beside them, and each release links to
them."""

from __future__ import annotations

import os

from .errors import AgentError
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = "kept"


def link_kept(keep: Mapping[str, str], directory: str, release: str, key: str) -> None:
    """Let every folder of ``keep`` (path to owner) in the new ``release`` lead to the kept one.

    ``release`` lies as deep below ``directory`` as it will after its rename, so that relative
    links hold. Raises AgentError if the artifact ``key`` has something of its own there.
    """
    for path, owner in keep.items():
        folder = f"{directory}/{KEPT}/{path}"
        _make(folder, path, owner)
        link = f"{release}/{path}"
        _make_room(release, path, key)
        os.symlink(os.path.relpath(folder, os.path.dirname(link)), link)


def _make(folder: str, path: str, owner: str) -> None:
    """The folders above it stay root's, so that its owner cannot put a link in its place."""
    from pwd import getpwnam

    try:
        user = getpwnam(owner)
    except KeyError as error:
        raise AgentError(f"deploy: keep {path}: this image has no user named {owner!r}") from error
    os.makedirs(folder, exist_ok=True)
    os.chown(folder, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _make_room(release: str, path: str, key: str) -> None:
    """An empty folder of the artifact gives way; anything else is not thrown away in silence."""
    at = release
    for part in path.split("/")[:-1]:
        at = f"{at}/{part}"
        if os.path.islink(at):
            raise AgentError(f"{key} refused: {path}, which is kept, goes through a link")
        if not os.path.isdir(at):
            os.mkdir(at, 0o755)
    link = f"{release}/{path}"
    try:
        if os.path.lexists(link):
            os.rmdir(link)
    except OSError as error:
        raise AgentError(
            f"{key} refused: it holds {path}, which is kept from release to release"
        ) from error
