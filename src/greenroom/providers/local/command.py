"""The one door for running a program: argv is data, output is captured, time is bounded."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence

from greenroom.errors import HostError, OperationError
from greenroom.ports import Cancellation

NO_SPACE = "E_NO_SPACE"
_TAIL_LINES = 12
_LOOK_EVERY_S = 0.2
_LOOK_AGAIN_S = 0.01
_GRACE_S = 20.0
_REAP_S = 5.0
_OUTPUT_LIMIT_BYTES = 1024 * 1024
_PIECE_BYTES = 64 * 1024


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: str | None = None,
    accept: tuple[int, ...] = (0,),
) -> str:
    """Run a program to its end and return what it wrote on stdout.

    Raises HostError if there is no such program, OperationError (E_COMMAND, or E_NO_SPACE for
    a full disk) with the last lines of its stderr if its exit code is not one to ``accept``, or it
    outlives ``timeout_s``.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise HostError(
            "E_NO_PROGRAM",
            f"the program {argv[0]!r} is not installed",
            hint="run `greenroom doctor`: it names the package",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise OperationError(
            "E_COMMAND", f"{argv[0]} did not end within {timeout_s:g} s: {' '.join(argv)}"
        ) from error
    if done.returncode not in accept:
        raise _failed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout


def _failed(argv: Sequence[str], code: int, output: str) -> OperationError:
    """A full disk has a code of its own, whichever program met it."""
    words = f"{argv[0]} ended with {code}: {tail(output)}"
    if os.strerror(errno.ENOSPC) not in output:
        return OperationError("E_COMMAND", words)
    return OperationError(NO_SPACE, words, hint="df -h shows which disk is full: free some space")


def tail(text: str, lines: int = _TAIL_LINES) -> str:
    """The last lines of a program's output, for an error."""
    return "\n".join(text.strip().splitlines()[-lines:])


def run_bounded(argv: Sequence[str], *, timeout_s: float) -> str:
    """Run a program that is not trusted: what it prints is read up to 1 MiB, then it is ended.

    Its exit code says nothing here. Raises OperationError (E_COMMAND) if it prints more, or
    outlives ``timeout_s``.
    """
    program = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert program.stdout is not None
    with program.stdout as pipe:
        try:
            output = _read_until_end(program, pipe.fileno(), time.monotonic() + timeout_s)
        finally:
            program.kill()
            # What is held still does not die before it goes on: nobody waits for that.
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(_REAP_S)
    if output is None:
        raise OperationError("E_COMMAND", f"{argv[-1]} did not end within {timeout_s:g} s")
    if len(output) > _OUTPUT_LIMIT_BYTES:
        raise OperationError("E_COMMAND", f"{argv[-1]} printed more than 1 MiB")
    return output.decode(errors="replace")


def _read_until_end(program: subprocess.Popen[bytes], pipe: int, end_s: float) -> bytes | None:
    """What it prints until it ends; None if it does not in time.

    The end of the pipe cannot be waited for: a child that outlives the program, as one within a
    machine does, may hold it for as long as it likes.
    """
    os.set_blocking(pipe, False)
    output = bytearray()
    pidfd = os.pidfd_open(program.pid)
    try:
        waiting = select.poll()
        for descriptor in (pipe, pidfd):
            waiting.register(descriptor, select.POLLIN)
        while (left_s := end_s - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in waiting.poll(left_s * 1000)}
            is_over = _drain(pipe, output)
            if is_over or pidfd in ready:
                return bytes(output)
    finally:
        os.close(pidfd)
    return None


def _drain(pipe: int, output: bytearray) -> bool:
    """Add what is in the pipe; True if there will be no more, or more than is read."""
    while len(output) <= _OUTPUT_LIMIT_BYTES:
        try:
            piece = os.read(pipe, _PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            return True
        output += piece
    return True


def run_cancellable(argv: Sequence[str], *, timeout_s: float, cancel: Cancellation) -> None:
    """As ``run``, for what takes minutes: ends the program and its children when asked to stop.

    Raises CancelledError too.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        program = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait(program, timeout_s, cancel)
        finally:
            _end_session(program)
        if program.returncode != 0:
            output.seek(0)
            raise _failed(argv, program.returncode, output.read())


def _wait(program: subprocess.Popen[bytes], timeout_s: float, cancel: Cancellation) -> None:
    end = time.monotonic() + timeout_s
    while True:
        cancel.check()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_LOOK_EVERY_S)
            return
        if time.monotonic() > end:
            raise OperationError("E_COMMAND", f"{program.args!r} did not end in {timeout_s:g} s")


def _end_session(program: subprocess.Popen[bytes]) -> None:
    if program.poll() is None:
        end_group(program.pid, reap=program.poll)


def end_group(group: int, *, reap: Callable[[], object] = lambda: None) -> None:
    """End a process group and wait until nobody is left in it, not only its leader.

    SIGTERM first, so that a program takes its own mounts and folders away. ``reap`` is called
    while waiting: a leader that is our child is there until then.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + _GRACE_S
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
            while time.monotonic() < end:
                reap()
                os.killpg(group, 0)
                time.sleep(_LOOK_AGAIN_S)
            continue
        return
