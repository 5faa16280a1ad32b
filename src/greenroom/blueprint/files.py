"""The files and folders that a blueprint names: none of them may lie outside its own folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from greenroom.blueprint.fields import has_control_characters, shown
from greenroom.blueprint.regular_files import (
    FILE_BYTES_MAX,
    FileTooLargeError,
    NotRegularError,
    read_regular,
)


def inside(folder: Path, relative: str) -> Path:
    """``relative`` below ``folder``, resolved; raises ValueError if it leads elsewhere.

    The path need not exist: a bucket may be filled later. ``folder`` must be resolved.
    """
    if not relative or has_control_characters(relative):
        raise ValueError(f"{shown(relative)} is not a path")
    path = PurePosixPath(relative)
    if path.is_absolute():
        raise ValueError(f"{shown(relative)} is absolute; expected a path beside this file")
    if ".." in path.parts:
        raise ValueError(f"{shown(relative)} leaves the blueprint's folder")
    try:
        resolved = (folder / path).resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{shown(relative)} cannot be followed: {error}") from error
    if not resolved.is_relative_to(folder):
        raise ValueError(f"{shown(relative)} is a symbolic link that leaves the blueprint's folder")
    return resolved


def read_text_inside(folder: Path, relative: str) -> str:
    """The text of a file below ``folder``; raises ValueError."""
    path = inside(folder, relative)
    try:
        # Decoded by hand, because reading as text would rewrite the line ends.
        return read_regular(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown(relative)} is not UTF-8 text") from error
    except FileTooLargeError as error:
        raise ValueError(f"{shown(relative)} is larger than {FILE_BYTES_MAX} bytes") from error
    except FileNotFoundError as error:
        message = f"{shown(relative)} does not exist; expected a text file in {folder}"
        raise ValueError(message) from error
    except NotRegularError as error:
        message = f"{shown(relative)} is not a file; expected a text file in {folder}"
        raise ValueError(message) from error
    except OSError as error:
        raise ValueError(f"{shown(relative)} cannot be read: {error.strerror}") from error
