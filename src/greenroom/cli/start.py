"""Finding the region's daemon, and starting it when none runs."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

from greenroom.cli.client import Client, error_from
from greenroom.cli.terminal import note
from greenroom.errors import GreenroomError, HostError
from greenroom.region import Region

START_TIMEOUT_S = 30.0
_POLL_S = 0.02
_RETRY_S = 0.2
_LAST_LINES = 20
_TOLD_AFTER_S = 0.5
"""Until then nobody wonders what they wait for."""


def start_daemon(region: Region, client: Client) -> None:
    """Start ``greenroom serve`` and return when it accepts; raises HostError or its own error.

    Two clients may find no daemon at the same moment: the lock lets one of them start it, and
    the other finds it running.
    """
    if os.geteuid() != 0:
        raise needs_root()
    wait = _Wait()
    with _start_lock(region, wait):
        while not client.accepts():
            error = _start_once(region, client, wait)
            if error is None:
                return
            # A daemon has the region and does not accept: it is about to, or about to end.
            if error.code != "E_DAEMON_RUNS" or wait.over:
                raise error
            time.sleep(_RETRY_S)


class _Wait:
    """How long somebody has waited for the daemon, and telling them what for. Only at a terminal:
    whoever reads our stderr with a program reads errors there."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._told = not sys.stderr.isatty()

    @property
    def over(self) -> bool:
        """Whether it was too long."""
        return time.monotonic() > self._began_s + START_TIMEOUT_S

    def step(self) -> None:
        """A moment passes."""
        if not self._told and time.monotonic() >= self._began_s + _TOLD_AFTER_S:
            self._told = True
            note("starting the region's daemon …")
        time.sleep(_POLL_S)


def _start_once(region: Region, client: Client, wait: _Wait) -> GreenroomError | None:
    """Start one process; None when the region's daemon accepts, else why it ended."""
    region.log_path.parent.mkdir(parents=True, exist_ok=True)
    with region.log_path.open("ab") as log:
        log_start = log.tell()
        # In a session of its own, so that neither Ctrl-C nor the terminal's end reaches it.
        daemon = subprocess.Popen(
            daemon_argv(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    while not wait.over:
        if client.accepts():
            return None
        if daemon.poll() is not None:
            return _start_error(region, daemon.returncode, _log_since(region, log_start))
        wait.step()
    return HostError(
        "E_DAEMON_START",
        f"the daemon (process {daemon.pid}) does not accept on {region.socket_path} "
        f"after {START_TIMEOUT_S:.0f} s",
        hint=f"its log is {region.log_path}; greenroom doctor checks the host",
    )


def daemon_argv() -> list[str]:
    """The daemon's command line. With ``--json`` its error at start-up is one that we can read."""
    return [sys.executable, "-m", "greenroom.cli", "serve", "--json"]


def needs_root() -> HostError:
    """The error for a caller who may not reach or start the daemon."""
    words = sys.argv[1:]
    command = next((word for word in words if not word.startswith("-")), "")
    return HostError(
        "E_NOT_ROOT",
        f"greenroom {command} needs root: the daemon makes namespaces, mounts and firewall rules",
        hint=f"sudo greenroom {shlex.join(words)}",
    )


def _start_error(region: Region, returncode: int, lines: list[str]) -> GreenroomError:
    for line in reversed(lines):
        error = _reported_error(line, returncode)
        if error is not None:
            return error
    return HostError(
        "E_DAEMON_START",
        "\n".join([f"the daemon ended at its start with exit code {returncode}", *lines]),
        hint=f"its log is {region.log_path}; greenroom doctor checks the host",
    )


def _reported_error(line: str, returncode: int) -> GreenroomError | None:
    try:
        error = json.loads(line)["error"]
        return error_from(
            error["code"],
            error["message"],
            hint=error["hint"],
            exit_code=returncode,
            faults=error["faults"],
        )
    except (ValueError, KeyError, TypeError):
        return None


def _log_since(region: Region, start: int) -> list[str]:
    with region.log_path.open("rb") as log:
        log.seek(start)
        return log.read().decode("utf-8", "replace").splitlines()[-_LAST_LINES:]


@contextlib.contextmanager
def _start_lock(region: Region, wait: _Wait) -> Iterator[None]:
    region.run_dir.mkdir(parents=True, exist_ok=True)
    with (region.run_dir / "start.lock").open("w") as lock:
        while not _locked(lock.fileno()):
            if wait.over:
                raise HostError(
                    "E_DAEMON_START",
                    f"another greenroom holds {lock.name} and has started no daemon",
                    hint=f"its log is {region.log_path}; greenroom doctor checks the host",
                )
            wait.step()
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
