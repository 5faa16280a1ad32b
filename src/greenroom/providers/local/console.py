"""A machine's console: what its first process and whatever has no log of its own print.

The file lies in memory and whoever is root in the machine can write to it without end. The
machine has no right to open it, only the descriptor of its first process, which appends; so it
can be cut at any time while the machine goes on writing.
"""

from __future__ import annotations

import os

from greenroom.providers.local.layout import CONSOLE, Layout, MachineLayout

LIMIT_BYTES = 1024**2
"""What a console may hold between two looks of the watch."""
KEPT_BYTES = 64 * 1024
_BLOCK_BYTES = 512
_CUT = b"[what came before was cut: the console had grown beyond 1 MiB]\n"


def end_of_console(place: MachineLayout) -> str:
    """Its last lines, at most 64 KiB; empty without one."""
    try:
        descriptor = os.open(place.console, os.O_RDONLY)
    except FileNotFoundError:
        return ""
    try:
        return _end(descriptor).decode(errors="replace")
    finally:
        os.close(descriptor)


def bound_consoles(layout: Layout) -> None:
    """Cut every console of the region that has outgrown its limit down to its end."""
    for console in layout.machines_run.glob(f"*/*/{CONSOLE}"):
        try:
            descriptor = os.open(console, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            continue
        try:
            # Blocks, not the length: a machine may clear O_APPEND on the descriptor it was given
            # and write far behind the end (fcntl(2), F_SETFL), which occupies nothing.
            if os.fstat(descriptor).st_blocks * _BLOCK_BYTES > LIMIT_BYTES:
                end = _end(descriptor)
                os.ftruncate(descriptor, 0)
                os.write(descriptor, _CUT + end)
        finally:
            os.close(descriptor)


def _end(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, KEPT_BYTES, max(0, size - KEPT_BYTES))
    return content if size <= KEPT_BYTES else content.partition(b"\n")[2] or content
