"""What a process holds of files without a name is counted, however it hides them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from greenroom.providers.local.usage import deleted_bytes

MIB = 1024**2


def written(path: Path, mib: int) -> int:
    """A file without a name, written to the disk; its descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    path.unlink()
    os.write(descriptor, b"x" * mib * MIB)
    os.fsync(descriptor)
    return descriptor


def test_deleted_files_are_counted_once_whatever_they_are_called_and_memory_is_not(
    tmp_path: Path,
) -> None:
    before = deleted_bytes([os.getpid()], tmp_path)
    folder = tmp_path / "SYSV" / "memfd:x"
    folder.mkdir(parents=True)
    opened = written(folder / "file", 2)
    copies = [os.dup(opened) for _ in range(20)]
    closed = written(tmp_path / "mapped", 3)
    mapped = mmap.mmap(closed, 3 * MIB)
    os.close(closed)
    memory = os.memfd_create("greenroom")
    os.write(memory, b"x" * 8 * MIB)
    try:
        held = deleted_bytes([os.getpid(), os.getpid()], tmp_path) - before
        assert 5 * MIB <= held < 6 * MIB
    finally:
        mapped.close()
        for descriptor in (opened, memory, *copies):
            os.close(descriptor)
