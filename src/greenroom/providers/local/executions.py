"""The programs of jobs on this host: each in a cgroup of its own, so that its end is everybody's.

On the control plane a program begins as a line of shell that enters the cgroup, and becomes the
command by way of setpriv(1): another user, no way to more rights, and a death signal should the
daemon die. In a machine it begins by reading its environment from stdin; before it gets any, it is
moved into a cgroup below its machine's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from greenroom.errors import OperationError
from greenroom.model.jobs import Command
from greenroom.model.stack import Machine, Stack
from greenroom.providers.local.cgroups import cgroup_folders, cgroup_pids, remove_cgroups
from greenroom.providers.local.job_users import (
    JobUids,
    home_of,
    named_uid,
    not_started,
    opened_folder,
    setpriv_argv,
)
from greenroom.providers.local.killing import kill_all
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.machine import exec_argv

_TOP = Path("/sys/fs/cgroup")
_ENTER = 'echo 0 > "$1" && shift && exec "$@"'
# What is cut off before it has its environment, as by an abort, must not run without.
_LOAD = 'eval "$(cat)" && [ -n "${GREENROOM_JOB:-}" ] && exec "$@" < /dev/null'
_MARK = "GREENROOM_EXECUTION"
_READ_BYTES = 1 << 20
_APPEAR_S = 10.0
_LOOK_AGAIN_S = 0.002


class LocalProcesses:
    """See the port ``Processes``."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._uids = JobUids()

    def start(self, execution: str, command: Command) -> LocalProgram:
        """See the port."""
        cgroup = self._cgroup(execution)
        with opened_folder(command.folder) as folder:
            uid = self._uid(command.user, folder)
            try:
                return LocalProgram(
                    [*_enter_argv(cgroup), *setpriv_argv(uid), *command.argv],
                    cgroups=[cgroup],
                    environment={**home_of(uid), **command.environment},
                    folder=f"/proc/self/fd/{folder}",
                    on_closed=lambda: self._uids.give_back(uid),
                )
            except OSError as error:
                self._uids.give_back(uid)
                raise not_started(command.folder, error) from error

    def _uid(self, user: str | None, folder: int) -> int:
        if user is not None:
            return named_uid(user)
        return os.fstat(folder).st_uid or self._uids.lend()

    def start_inside(
        self, execution: str, stack: Stack, machine: Machine, command: Command
    ) -> LocalProgram:
        """See the port."""
        place = self._layout.machine(stack.environment, machine.name)
        host = self._cgroup(f"{execution}.{machine.name}")
        inside = f"{place.cgroup}/job-{execution}"
        mark = f"{_MARK}={execution}"
        loader = ["/usr/bin/env", mark, "/bin/sh", "-c", _LOAD, "sh", *command.argv]
        death = ["setpriv", "--pdeathsig", "KILL", "--"]
        try:
            program = LocalProgram(
                [*_enter_argv(host), *death, *exec_argv(place, loader, tty=False)],
                cgroups=[inside, host],
                environment={"PATH": os.environ["PATH"]},
                folder="/",
                stdin=True,
            )
        except OSError as error:
            raise not_started("/", error) from error
        try:
            if _move_marked(program, place.cgroup, inside, mark):
                program.send(_exports(command.environment))
        except BaseException:
            program.close()
            raise
        return program

    def end_left_over(self) -> None:
        """See the port."""
        machines = f"{self._layout.region.name}/*/*"
        for pattern in (f"{self._top.lstrip('/')}/*", f"{machines}/job-*"):
            for cgroup in _matching(pattern):
                kill_all(cgroup)
                remove_cgroups(cgroup)

    def close(self) -> None:
        """See the port."""
        remove_cgroups(self._top)

    @property
    def _top(self) -> str:
        # The dot keeps it apart from a region whose name is `jobs`.
        return f"/{self._layout.region.name}.jobs"

    def _cgroup(self, name: str) -> str:
        return f"{self._top}/{name}"


class LocalProgram:
    """See the port ``Program``."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cgroups: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        stdin: bool = False,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        """``cgroups`` are all that it and its children may be in; the last one is made here.
        ``on_closed`` is told when they are gone. Raises OSError."""
        self._cgroups = cgroups
        self._on_closed = on_closed
        self._ending = threading.Lock()
        _make(cgroups[-1])
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        except OSError:
            remove_cgroups(cgroups[-1])
            raise
        assert self._process.stdout is not None
        self._output = self._process.stdout
        with contextlib.suppress(OSError):
            # What is printed in a burst waits here, and not the program for the daemon.
            fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _READ_BYTES)
        os.set_blocking(self._output.fileno(), False)
        self._descriptor = os.pidfd_open(self._process.pid)
        self._waiting = select.poll()
        for descriptor in (self._output.fileno(), self._descriptor):
            self._waiting.register(descriptor, select.POLLIN)
        self._is_open = True

    def send(self, text: bytes) -> None:
        """Write to its stdin, and close that."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(text)

    def running(self) -> bool:
        """Whether its first process has not ended."""
        return self._process.poll() is None

    def read(self, timeout_s: float) -> bytes | None:
        """See the port."""
        ready = {descriptor for descriptor, _ in self._waiting.poll(timeout_s * 1000)}
        if not ready:
            return b""
        if piece := self._read_now():
            return piece
        if self._descriptor not in ready:
            # Its output has ended before it has; only its end is waited for now.
            with contextlib.suppress(KeyError):
                self._waiting.unregister(self._output.fileno())
            return b""
        self.end()
        return self._read_now() or None

    def _read_now(self) -> bytes:
        try:
            return os.read(self._output.fileno(), _READ_BYTES)
        except BlockingIOError:
            return b""

    def end(self) -> None:
        """See the port."""
        with self._ending:
            for cgroup in self._cgroups:
                for folder in cgroup_folders(cgroup):
                    # At once and with all that is being forked (cgroups(7)), where it exists.
                    with contextlib.suppress(OSError):
                        (folder / "cgroup.kill").write_text("1")
                kill_all(cgroup)

    def exit_code(self) -> int:
        """See the port."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """See the port."""
        if not self._is_open:
            return
        self._is_open = False
        self.end()
        self._process.wait()
        self._output.close()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        os.close(self._descriptor)
        for cgroup in self._cgroups:
            remove_cgroups(cgroup)
        self._on_closed()


def _hierarchy() -> Path:
    """Where cgroups are made that only hold processes together: the unified hierarchy, beside v1
    too; where there is none, v1's freezer."""
    for top in (_TOP, _TOP / "unified"):
        if (top / "cgroup.controllers").exists():
            return top
    return _TOP / "freezer"


def _make(cgroup: str) -> None:
    (_hierarchy() / cgroup.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _enter_argv(cgroup: str) -> list[str]:
    procs = _hierarchy() / cgroup.lstrip("/") / "cgroup.procs"
    return ["/bin/sh", "-c", _ENTER, "sh", str(procs)]


def _move_marked(program: LocalProgram, machine: str, inside: str, mark: str) -> bool:
    """Move what began with ``mark`` in the machine's cgroup into the one below it; False if it has
    ended before it was seen, which its output explains."""
    end = time.monotonic() + _APPEAR_S
    while program.running():
        marked = [pid for pid in cgroup_pids(machine) if _is_marked(pid, mark)]
        if marked:
            _move(marked, machine, inside)
            return True
        if time.monotonic() > end:
            raise OperationError(
                "E_JOB_START",
                f"nothing began in the machine {machine.strip('/')} within {_APPEAR_S:g} s",
                hint="greenroom logs tells how the machine is",
            )
        time.sleep(_LOOK_AGAIN_S)
    return False


def _is_marked(pid: int, mark: str) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return mark.encode() in environment.split(b"\0")


def _move(pids: Sequence[int], machine: str, inside: str) -> None:
    folders = cgroup_folders(machine)
    # One hierarchy is enough to find them by, and leaves the machine's limits as they are.
    chosen = next((each for each in folders if "freezer" in each.parts), folders[0])
    target = chosen / inside.removeprefix(f"{machine}/")
    target.mkdir(exist_ok=True)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (target / "cgroup.procs").write_text(str(pid))


def _exports(environment: Mapping[str, str]) -> bytes:
    """The environment as lines for a shell, each value quoted whole."""
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    return "".join(lines).encode(errors="surrogatepass")


def _matching(pattern: str) -> Iterator[str]:
    tops = [_TOP] if (_TOP / "cgroup.controllers").exists() else list(_TOP.iterdir())
    found = {
        f"/{folder.relative_to(top)}"
        for top in tops
        if top.is_dir() and not top.is_symlink()
        for folder in top.glob(pattern)
        if folder.is_dir()
    }
    yield from sorted(found)
