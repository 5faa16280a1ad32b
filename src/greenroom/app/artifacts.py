"""Pushing code: a folder or a ready archive, checked as machines will, into a bucket."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from greenroom.app.packing import check_archive, pack_folder
from greenroom.errors import InputError
from greenroom.ports import ArtifactStore

SUFFIXES = (".tar.gz", ".tgz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What was pushed. ``place`` says where it lies, ``files`` counts files and links."""

    key: str
    place: str
    sha256: str
    bytes: int
    files: int


def push_artifact(source: Path, key: str, store: ArtifactStore) -> Pushed:
    """Put ``source``, a folder or a ``.tar.gz``, into ``store`` under ``key``.

    The same files give the same archive. Raises InputError E_ARTIFACT for what no machine would
    take, before anything is written.
    """
    with _archive_of(source, key) as archive:
        files = check_archive(archive, key)
        sha256 = _sha256_of(archive)
        place = store.put(key, archive, sha256)
        return Pushed(
            key=key, place=place, sha256=sha256, bytes=archive.stat().st_size, files=files
        )


@contextmanager
def _archive_of(source: Path, key: str) -> Iterator[Path]:
    """A private copy, so that what is checked is what is pushed."""
    with tempfile.TemporaryDirectory(prefix="greenroom-artifact-") as folder:
        archive = Path(folder, "archive")
        try:
            if source.is_dir():
                pack_folder(source, archive)
            elif source.is_file():
                _require_suffix(source)
                shutil.copyfile(source, archive)
            else:
                state = "is neither a folder nor a file" if source.exists() else "does not exist"
                raise InputError(
                    "E_ARTIFACT",
                    f"{source} {state}",
                    hint=f"name a folder with what {key} shall hold, or a ready .tar.gz",
                )
        except OSError as error:
            raise InputError(
                "E_ARTIFACT",
                f"{error.filename or source} cannot be read: {error.strerror or error}",
                hint="a file that changes while it is packed cannot be pushed either",
            ) from error
        yield archive


def _require_suffix(source: Path) -> None:
    if not source.name.endswith(SUFFIXES):
        raise InputError(
            "E_ARTIFACT",
            f"{source} is neither a folder nor a .tar.gz",
            hint="name the folder that it lies in, or pack it: tar -czf code.tar.gz -C FOLDER .",
        )


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
