"""Ways into a folder that a machine may have changed: no step of them may be a link."""

from __future__ import annotations

import os
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_folder(root: Path, *steps: str) -> int | None:
    """A descriptor of the folder, or None if a step is missing or is no folder. The caller closes
    it; ``/proc/self/fd/N`` is a path to it."""
    descriptor = _open(str(root), os.O_DIRECTORY, None)
    for step in steps:
        if descriptor is None:
            return None
        inner = _open(step, os.O_DIRECTORY, descriptor)
        os.close(descriptor)
        descriptor = inner
    return descriptor


def read_file(root: Path, *steps: str, limit_bytes: int) -> bytes:
    """The end of a regular file, or nothing."""
    folder = open_folder(root, *steps[:-1])
    if folder is None:
        return b""
    # Non-blocking: a FIFO in the place of a file must not hold us up.
    descriptor = _open(steps[-1], os.O_NONBLOCK, folder)
    os.close(folder)
    if descriptor is None:
        return b""
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, limit_bytes, max(0, size - limit_bytes))
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _open(path: str, flags: int, folder: int | None) -> int | None:
    try:
        return os.open(path, _FLAGS | flags, dir_fd=folder)
    except OSError:
        return None
