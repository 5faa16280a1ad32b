"""The one door for running programs: an argv, a deadline, bounded output, no shell.

`os.posix_spawn` and a pidfd instead of `subprocess`, whose import and fork cost more than most of
the commands that the agent runs.
"""

from __future__ import annotations

import os
import select
import time

from .errors import AgentError
from .lean import signal
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTPUT_BYTES = 32 * 1024 * 1024
"""More than any answer that we ask for; a command that prints more is stopped."""

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Completed(Value):
    """How a command ended; a negative ``code`` is the signal that killed it."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """What it printed for people, errors first, at most 2,000 characters from the end."""
        return (self.err.strip() or self.out.strip())[-2000:]


class Process:
    """A child in a process group of its own, so that its children end with it."""

    def __init__(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int) -> None:
        """Start ``argv`` on the given file descriptors; raises AgentError if it is not there."""
        self.argv = tuple(argv)
        actions = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((stdin, stdout, stderr))]
        try:
            self.pid = os.posix_spawnp(
                argv[0],
                list(argv),
                child_environment(),
                file_actions=actions,
                setpgroup=0,
                setsigdef=[signal.SIGPIPE],  # Python ignores it, and a child would inherit that
            )
        except FileNotFoundError:
            raise AgentError(f"the command {argv[0]!r} is not in this image") from None
        except OSError as error:
            raise AgentError(f"cannot run {argv[0]!r}: {error.strerror}") from error
        self.pidfd = os.pidfd_open(self.pid)
        self.code: int | None = None

    def wait(self, timeout_s: float) -> int | None:
        """The exit code (negative: a signal), or None if it still runs after ``timeout_s``."""
        if self.code is None:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            if poll.poll(max(timeout_s, 0) * 1000):
                self._reap()
        return self.code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.code is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started; harmless when it has ended."""
        if self.code is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has not become a group leader yet, or is a zombie
                os.kill(self.pid, signal.SIGKILL)
            self._reap()

    def _reap(self) -> None:
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.pidfd)


def child_environment() -> dict[str, str]:
    """Ours, with the system's directories at the end of PATH: a supervisor may start us bare."""
    environment = dict(os.environ)
    environment["PATH"] = f"{environment.get('PATH', '')}:{STANDARD_PATH}".lstrip(":")
    return environment


def run(argv: Sequence[str], *, timeout_s: float, stdin: str = "") -> Completed:
    """Run ``argv`` to its end; raises AgentError if it is missing or takes too long."""
    given = memory_file(stdin)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    try:
        process = Process(argv, stdin=given, stdout=out_write, stderr=err_write)
    except AgentError:
        for fd in (given, out_read, out_write, err_read, err_write):
            os.close(fd)
        raise
    for fd in (given, out_write, err_write):
        os.close(fd)
    try:
        out, err = _collect(process, out_read, err_read, time.monotonic() + timeout_s)
    finally:
        process.kill()
        os.close(out_read)
        os.close(err_read)
    if process.code is None or out is None:
        raise AgentError(f"the command {' '.join(argv)!r} did not end within {timeout_s:g} s")
    return Completed(code=process.code, out=out, err=err)


def memory_file(text: str) -> int:
    """A file descriptor that reads as ``text``: standard input without anyone to feed it."""
    fd = os.memfd_create("stdin")
    data = text.encode()
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _collect(
    process: Process, out_read: int, err_read: int, deadline: float
) -> tuple[str | None, str]:
    """Read both pipes until the process has ended; the first is None if it had to be stopped.

    The process decides, not the end of its output: what it left in the background may hold the
    pipes open for ever.
    """
    chunks: dict[int, list[bytes]] = {out_read: [], err_read: []}
    poll = select.poll()
    for fd in (out_read, err_read, process.pidfd):
        poll.register(fd, select.POLLIN)
    for fd in (out_read, err_read):
        os.set_blocking(fd, False)
    size, ended = 0, False
    while not ended:
        ready = {fd for fd, _ in poll.poll(max(deadline - time.monotonic(), 0) * 1000)}
        if not ready or size > OUTPUT_BYTES:
            return None, ""
        ended = process.pidfd in ready
        for fd in (out_read, err_read):
            if fd in ready or ended:
                size += _drain(fd, chunks[fd], poll)
    process.wait(0)
    out, err = (b"".join(chunks[fd]).decode("utf-8", "replace") for fd in (out_read, err_read))
    return out, err


def _drain(fd: int, chunks: list[bytes], poll: select.poll) -> int:
    """Take what is in the pipe now; at its end stop watching it."""
    size = 0
    while True:
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            return size
        if not chunk:
            try:  # noqa: SIM105 -- contextlib takes 4 ms of each boot
                poll.unregister(fd)
            except KeyError:
                pass
            return size
        chunks.append(chunk)
        size += len(chunk)
        if size > OUTPUT_BYTES:
            return size
