"""Machine logs, read from the host without trusting what the machine put there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from greenroom.model.views import LogLine
from greenroom.providers.local.layout import MachineLayout

_READ_LIMIT_BYTES = 1024 * 1024
"""What one look reads of one log at most; the rest is read at the next look."""

_LINE_LIMIT_BYTES = 64 * 1024
"""A line that does not end is told in pieces of about this length."""


@dataclass(slots=True)
class LogReader:
    """Follows one service's log through s6-log's rotations."""

    place: MachineLayout
    service: str
    _offset: int = 0
    _inode: int = 0
    _rest: bytes = field(default=b"")

    def read_new(self) -> Iterable[LogLine]:
        """The lines written since the last call."""
        data = self._rest + self._read()
        *lines, self._rest = data.split(b"\n")
        if len(self._rest) > _LINE_LIMIT_BYTES:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            yield LogLine(
                machine=self.place.name,
                service=self.service,
                line=line.decode(errors="replace"),
            )

    def goes_on(self) -> bool:
        """Whether more may come: a destroyed environment's logs say nothing more."""
        return self.place.log.is_dir()

    def _read(self) -> bytes:
        descriptor = open_beneath(self.place, self.service, "current")
        if descriptor is None:
            return b""
        try:
            status = os.fstat(descriptor)
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._inode, self._offset = status.st_ino, 0
            data = os.pread(descriptor, _READ_LIMIT_BYTES, self._offset)
            self._offset += len(data)
            return data
        finally:
            os.close(descriptor)


def readers(place: MachineLayout, service: str | None) -> tuple[LogReader, ...]:
    """A reader for each of the machine's services, or for the one named."""
    return tuple(LogReader(place, s) for s in log_services(place) if service in (None, s))


def open_beneath(place: MachineLayout, *parts: str) -> int | None:
    """A descriptor of a regular file in the machine's log folder, or None.

    The machine's root may have put a link there to make us read the host's files, so no step of
    the path may be one. The caller closes it.
    """
    descriptor = _open(str(place.log), os.O_DIRECTORY)
    for number, part in enumerate(parts):
        if descriptor is None:
            return None
        last = number == len(parts) - 1
        # Non-blocking: a FIFO in the place of a log must not hold us up.
        inner = _open(part, os.O_NONBLOCK if last else os.O_DIRECTORY, descriptor)
        os.close(descriptor)
        descriptor = inner
    return descriptor


def read_tail(place: MachineLayout, *parts: str, limit_bytes: int = 3000) -> str:
    """The end of a file in the machine's log folder, or "" if there is none."""
    descriptor = open_beneath(place, *parts)
    if descriptor is None:
        return ""
    try:
        size = os.fstat(descriptor).st_size
        text = os.pread(descriptor, limit_bytes, max(0, size - limit_bytes))
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return text.decode(errors="replace").strip()


def log_services(place: MachineLayout) -> tuple[str, ...]:
    """The services that have a log, by name."""
    if not place.log.is_dir():
        return ()
    return tuple(sorted(p.name for p in place.log.iterdir() if p.is_dir()))


def _open(path: str, flags: int, folder: int | None = None) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError:
        return None
