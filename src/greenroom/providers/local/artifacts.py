"""The folder of a local bucket, as the one who pushes sees it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from greenroom.errors import HostError, InputError

_UNFINISHED = ".pushing-"


class LocalArtifacts:
    """The port ArtifactStore on a folder; it is made if it is not there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, archive: Path, sha256: str) -> str:
        """See ArtifactStore."""
        path = self._path_of(key)
        checksum = path.with_name(f"{path.name}.sha256")
        line = f"{sha256}  {path.name}\n".encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open("rb") as content:
                _replace(path, lambda file: shutil.copyfileobj(content, file))
            _replace(checksum, lambda file: file.write(line))
        except OSError as error:
            raise HostError(
                "E_BUCKET_WRITE",
                f"{key} cannot be written to {self._folder}: {error.strerror}",
                hint=f"make {error.filename or self._folder} writable, or push as its owner",
            ) from error
        return str(path)

    def _path_of(self, key: str) -> Path:
        """The object's file; a link in the bucket must not lead it elsewhere."""
        root = self._folder.resolve()
        path = root / key
        if not path.resolve().is_relative_to(root):
            raise InputError(
                "E_BRANCH",
                f"{key} lies behind a link that leaves the bucket's folder {root}",
                hint="remove the link, or name another branch",
            )
        return path


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let ``path`` hold what ``write`` writes, from one moment to the next, or not at all."""
    fresh = path.with_name(f"{_UNFINISHED}{os.urandom(4).hex()}")
    try:
        with fresh.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
