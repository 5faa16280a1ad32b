"""Reading a file that is one: apart from the rules of paths, so that it needs nothing else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

FILE_BYTES_MAX = 1 << 20


class NotRegularError(OSError):
    """A pipe, a device or a folder: nothing that can be read to its end at once."""


class FileTooLargeError(OSError):
    """It holds more than ``FILE_BYTES_MAX`` bytes."""


def read_regular(path: Path) -> bytes:
    """The content of a regular file, which is looked at and read through one descriptor: whoever
    may change the path cannot put something else there in between.

    Raises NotRegularError, FileTooLargeError, or another OSError.
    """
    # Without O_NONBLOCK, opening a pipe waits for whoever writes into it (fifo(7)).
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegularError(errno.EINVAL, "it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    # Not by the size: what lies in /proc says that it is empty.
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLargeError(errno.EFBIG, f"it is larger than {FILE_BYTES_MAX} bytes")
    return content
