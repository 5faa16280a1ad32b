"""The logs of executions: a file each, written by one and followed by many.

A line of the file is the line of the answer (``{"seq":…,"at":…,"machine":…,"text":…}``), so that
following costs the daemon no more than reading what the kernel has in memory anyway. Lines do not
go into the ledger: a script may print ten thousand a second.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from greenroom.app.clock import Clock

LOG_BYTES_MAX = 16 << 20
"""Of one execution. What comes after is dropped and counted."""
LOGS_KEPT = 2000
"""The newest logs; the history keeps all executions."""
LOGS_BYTES_MAX = 4 << 30
"""Of all logs together."""
LINE_BYTES_MAX = 16 << 10
"""A longer line is cut into several."""
READ_BYTES_MAX = 256 << 10
"""At once. A line takes less than half of it, also where each of its bytes is escaped as six."""

_logger = logging.getLogger(__name__)


class LogBook:
    """All logs of a region's executions, in one folder. Safe to use from any thread."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """``folder`` need not exist; it is made for root alone."""
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    def writer(self, execution: str) -> LogWriter:
        """The one that writes the execution's log. Never raises: a job does not end because its
        log cannot be kept (see ``LogWriter.fault``)."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._path(execution).open("a+b", buffering=0)
            return LogWriter(file, self._clock, lambda: self.tell(execution))
        except OSError as error:
            return LogWriter(None, self._clock, lambda: self.tell(execution), fault=str(error))

    def read(self, execution: str, offset: int) -> bytes:
        """Whole lines from ``offset`` on, ``READ_BYTES_MAX`` of them at the most; none if there are
        none yet, or the log is gone."""
        assert execution.isalnum(), execution
        try:
            # Not by pathlib and a buffered file, which cost twice as much: a hundred
            # followers read a line each, thirty times a second.
            file = os.open(f"{self._folder}/{execution}.ndjson", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            data = os.pread(file, READ_BYTES_MAX, offset)
        finally:
            os.close(file)
        return data[: data.rfind(b"\n") + 1]

    def offset_after(self, execution: str, seq: int) -> int:
        """Where the lines past ``seq`` begin."""
        offset = 0
        while seq > 0 and (data := self.read(execution, offset)):
            for line in data.splitlines(keepends=True):
                if int(line[len(b'{"seq":') : line.index(b",")]) > seq:
                    return offset
                offset += len(line)
        return offset

    def prune(self, is_unfinished: Callable[[str], bool]) -> None:
        """Remove the oldest logs, by their last line, beyond ``LOGS_KEPT`` and
        ``LOGS_BYTES_MAX``; never one of an execution that ``is_unfinished``."""
        kept, size = 0, 0
        for _, bytes_, path in sorted(self._sizes(), reverse=True):
            kept, size = kept + 1, size + bytes_
            too_many = kept > LOGS_KEPT or size > LOGS_BYTES_MAX
            if too_many and not is_unfinished(path.stem):
                path.unlink(missing_ok=True)
                kept, size = kept - 1, size - bytes_

    def _sizes(self) -> list[tuple[int, int, Path]]:
        """When each log was last written, in ns, its bytes, and where it is."""
        found = []
        for path in self._folder.glob("*.ndjson"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        return found

    def listen(self, execution: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` whenever lines came or the execution's state changed, from the thread
        that did it; returns what ends that. The listener must not block."""
        with self._lock:
            self._listeners.setdefault(execution, []).append(listener)

        def stop() -> None:
            with self._lock:
                left = [each for each in self._listeners[execution] if each is not listener]
                self._listeners[execution] = left
                if not left:
                    del self._listeners[execution]

        return stop

    def tell(self, execution: str) -> None:
        """Wake those who follow the execution."""
        with self._lock:
            listeners = tuple(self._listeners.get(execution, ()))
        for listener in listeners:
            listener()

    def _path(self, execution: str) -> Path:
        assert execution.isalnum(), execution
        return self._folder / f"{execution}.ndjson"


class LogWriter:
    """Writes one execution's log. ``fault`` is why lines are missing from it, if they are."""

    def __init__(
        self, file: FileIO | None, clock: Clock, tell: Callable[[], None], fault: str = ""
    ) -> None:
        self._file = file
        self._clock = clock
        self._tell = tell
        self._lock = threading.Lock()
        self._bytes = 0
        self.fault = fault
        self.lines = 0
        self.dropped = 0
        if file is not None:
            self._go_on(file)

    def write(self, texts: list[bytes], machine: str | None = None) -> None:
        """Add lines; they were masked before. One write to the file for all of them."""
        if not texts:
            return
        with self._lock:
            at = self._clock.now().isoformat(timespec="milliseconds")
            before = f',"at":"{at}","machine":{json.dumps(machine)},"text":'
            batch = bytearray()
            for text in texts:
                line = f'{{"seq":{self.lines + 1}{before}{json.dumps(_decoded(text))}}}\n'.encode()
                if not self._take(len(line)):
                    continue
                self.lines += 1
                batch += line
            self._append(batch)
        self._tell()

    def say(self, text: str) -> None:
        """Add a line of greenroom's own."""
        self.write([text.encode(errors="replace")])

    def close(self) -> None:
        """Write how much was dropped, and let go of the file."""
        with self._lock:
            if self.dropped and not self.fault:
                self._bytes = 0
                text = f"… {self.dropped} more lines were not kept: a log has {LOG_BYTES_MAX >> 20}"
                at = self._clock.now().isoformat(timespec="milliseconds")
                self.lines += 1
                last = {"seq": self.lines, "at": at, "machine": None, "text": f"{text} MiB"}
                self._append(json.dumps(last, separators=(",", ":")).encode() + b"\n")
            if self._file is not None:
                self._file.close()
                self._file = None

    def _go_on(self, file: FileIO) -> None:
        """Behind the last whole line of what an interrupted daemon wrote."""
        file.seek(0)
        data = file.read(2 * LOG_BYTES_MAX)
        whole = data.rfind(b"\n") + 1
        file.truncate(whole)
        self._bytes, self.lines = whole, data.count(b"\n")

    def _take(self, size: int) -> bool:
        if self.dropped or self.fault or self._bytes + size > LOG_BYTES_MAX:
            self.dropped += 1
            return False
        self._bytes += size
        return True

    def _append(self, batch: bytes | bytearray) -> None:
        if self._file is None or not batch:
            return
        try:
            self._write(self._file, batch)
        except OSError as error:
            self.fault = error.strerror or str(error)
            _logger.error("a job's log cannot be written: %s", self.fault)

    @staticmethod
    def _write(file: FileIO, batch: bytes | bytearray) -> None:
        # Unbuffered, so that a short write, as a full disk makes it, is seen here.
        if file.write(batch) != len(batch):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that are complete now, without their ends."""
        *complete, self._rest = (self._rest + piece).split(b"\n")
        lines = [part for line in complete for part in _parts(line.removesuffix(b"\r"))]
        while len(self._rest) > LINE_BYTES_MAX:
            lines.append(self._rest[:LINE_BYTES_MAX])
            self._rest = self._rest[LINE_BYTES_MAX:]
        return lines

    def flush(self) -> list[bytes]:
        """The last line, if it has no end."""
        rest, self._rest = self._rest, b""
        return _parts(rest) if rest else []


def _parts(line: bytes) -> list[bytes]:
    if len(line) <= LINE_BYTES_MAX:
        return [line]
    return [line[i : i + LINE_BYTES_MAX] for i in range(0, len(line), LINE_BYTES_MAX)]


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")
