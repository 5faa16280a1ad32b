"""Running a command line inside a machine, as the daemon spells it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from greenroom.errors import HostError

SHELL_ARGV = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash -l; exec sh -l")
"""The machine's best shell: an image need not have bash."""


def become(argv: Sequence[str]) -> NoReturn:
    """Replace this process by ``argv``: its exit code, its terminal and its signals are ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _has_children():
        _leave_children()
    try:
        os.execvp(argv[0], list(argv))
    except OSError as exc:
        raise _not_run(argv[0], exc) from exc


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _leave_children() -> None:
    """Go on in a child, and end as it ends: crun waits for every child of its process, so it would
    wait for the daemon that this command has started."""
    pid = os.fork()
    if pid == 0:
        return
    # The terminal's signals reach both; the child decides what they mean.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(pid, number))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def captured(argv: Sequence[str]) -> dict[str, int | str]:
    """Run ``argv`` to its end; exit code (128 + signal as shells count), stdout and stderr."""
    import subprocess

    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as exc:
        raise _not_run(argv[0], exc) from exc
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return {
        "exit_code": code,
        "stdout": done.stdout.decode("utf-8", "replace"),
        "stderr": done.stderr.decode("utf-8", "replace"),
    }


def _not_run(program: str, exc: OSError) -> HostError:
    return HostError(
        "E_EXEC",
        f"{program} cannot be run: {exc.strerror}",
        hint="greenroom doctor says what this host lacks",
    )
