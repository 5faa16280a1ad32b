"""Starting services under s6 or systemd, and noticing at once when one of them dies."""

from __future__ import annotations

import os
import time

from .backoff import tries
from .command import run
from .errors import AgentError, one_line
from .lean import signal
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from .paths import Paths

    class Supervisor(Protocol):
        """What the agent asks of s6 or systemd."""

        def state(self, name: str) -> State | None: ...
        def start(self, name: str) -> None: ...
        def restart(self, name: str) -> None: ...
        def log_tail(self, name: str) -> str: ...


COMMAND_S = 10.0
SUPERVISED_S = 5.0
RESTART_S = 30.0
LOG_LINES = 15
LOG_CHARACTERS = 1800
LOG_SETTLES_S = 0.3
STATUS_BYTES = 35
CONTROL_FLAGS = os.O_WRONLY | os.O_NONBLOCK
"""The control pipe's reader is the supervisor; without one, opening fails at once (fifo(7))."""


class State(Value):
    """How a service stands. ``since`` changes whenever it goes up or down; ``ended`` says how."""

    up: bool
    pid: int
    since: str
    ended: str


class S6:
    """s6's services; see the pages of s6-svc and s6-svstat in the documentation of s6 2.11.

    State and start, which each boot asks for again and again, go without a process: the state is
    in the file that s6-svstat reads, and a start is the letter that s6-svc writes. A file of
    another length is another version's: then the two programs are asked.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def state(self, name: str) -> State | None:
        """None while nobody supervises the service yet."""
        status = self._status(name)
        if len(status) == STATUS_BYTES:
            return parse_status(status)
        return self._asked(name) if status else None

    def start(self, name: str) -> None:
        """Ask for the service to be up; raises AgentError if no supervisor listens."""
        if len(self._status(name)) != STATUS_BYTES:
            self._control("-u", name)
            return
        try:
            control = os.open(f"{self._directory(name)}/supervise/control", CONTROL_FLAGS)
            try:
                os.write(control, b"u")
            finally:
                os.close(control)
        except OSError as error:
            raise AgentError(f"service {name} cannot be started: {one_line(error)}") from error

    def _status(self, name: str) -> bytes:
        try:
            with open(f"{self._directory(name)}/supervise/status", "rb") as file:
                return file.read(STATUS_BYTES + 1)
        except OSError:
            return b""

    def _asked(self, name: str) -> State | None:
        fields = "up,pid,updownsince,exitcode,signal"
        done = run(["s6-svstat", "-o", fields, self._directory(name)], timeout_s=COMMAND_S)
        words = done.out.split()
        if done.code != 0 or len(words) != 5:
            return None
        up, pid, since, code, killed_by = words
        ended = f"exit code {code}" if killed_by in ("NA", "0") else killed_by
        return State(up=up == "true", pid=int(pid), since=since, ended=ended)

    def restart(self, name: str) -> None:
        """Ask it to end; s6 starts it again, and the second option lifts one that was down."""
        self._control("-ru", name)

    def _control(self, option: str, name: str) -> None:
        done = run(["s6-svc", option, self._directory(name)], timeout_s=COMMAND_S)
        if done.code != 0:
            raise AgentError(f"s6-svc {option} {name} failed: {done.said}")

    def _directory(self, name: str) -> str:
        return f"{self._paths.services}/{name}"

    def log_tail(self, name: str) -> str:
        """The last lines; the logger works beside the service, so they may need a moment."""
        text = ""
        for _ in tries(time.monotonic() + LOG_SETTLES_S, first_s=0.03):
            before, text = text, _read_end(self._paths.log(name))
            if text and text == before:
                break
        return text


def parse_status(status: bytes) -> State:
    """The state in s6-supervise's file of ``STATUS_BYTES`` (s6_svstatus_pack of s6 2.11; pure).

    Two time stamps of 12 bytes, pid in 8, the end as of wait(2) in 2, flags in 1.
    """
    pid = int.from_bytes(status[24:32], "big")
    ended = int.from_bytes(status[32:34], "big")
    finishing = bool(status[34] & 2)
    return State(
        up=pid != 0 and not finishing,
        pid=pid,
        since=status[:12].hex(),
        ended=signal_name(ended & 0x7F) if ended & 0x7F else f"exit code {ended >> 8}",
    )


def signal_name(number: int) -> str:
    """As s6-svstat calls it."""
    names = (name for name in dir(signal) if name.startswith("SIG") and name[3] != "_")
    return next((name for name in names if getattr(signal, name) == number), f"signal {number}")


class Systemd:
    """systemctl, for machines that boot with systemd."""

    def state(self, name: str) -> State | None:
        """None if systemd does not know the unit."""
        wanted = "ActiveState,MainPID,StateChangeTimestampMonotonic,Result,ExecMainStatus"
        done = run(["systemctl", "show", f"--property={wanted}", name], timeout_s=COMMAND_S)
        known = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
        if done.code != 0 or "ActiveState" not in known:
            return None
        return State(
            up=known["ActiveState"] in ("active", "activating", "reloading"),
            pid=int(known.get("MainPID") or 0),
            since=known.get("StateChangeTimestampMonotonic", ""),
            ended=f"{known.get('Result', '')}, exit code {known.get('ExecMainStatus', '?')}",
        )

    def start(self, name: str) -> None:
        """Ask for the service to be up."""
        self._control("start", name)

    def restart(self, name: str) -> None:
        """Ask for another process."""
        self._control("restart", name)

    def _control(self, verb: str, name: str) -> None:
        done = run(["systemctl", "--no-block", verb, name], timeout_s=COMMAND_S)
        if done.code != 0:
            raise AgentError(f"systemctl {verb} {name} failed: {done.said}")

    def log_tail(self, name: str) -> str:
        """The last lines in the journal."""
        argv = ["journalctl", "--no-pager", "-o", "cat", "-n", str(LOG_LINES), "-u", name]
        return bounded_lines(run(argv, timeout_s=COMMAND_S).out)


def supervisor(paths: Paths) -> Supervisor:
    """s6 where the image has its scan directory, else systemd."""
    return S6(paths) if os.path.isdir(paths.services) else Systemd()


def _read_end(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - 8192, 0))
            return bounded_lines(file.read().decode("utf-8", "replace"))
    except FileNotFoundError:
        return ""


def bounded_lines(text: str) -> str:
    """The last lines, without s6-log's time stamps, in bounded length (pure)."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(_unstamped(line) for line in lines[-LOG_LINES:])[-LOG_CHARACTERS:]


def _unstamped(line: str) -> str:
    stamp, _, words = line.partition(" ")
    return words if len(stamp) == 25 and stamp.startswith("@4") else line


class Watch:
    """Services that shall run, with what is known of each; one that dies fails the boot."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._before: dict[str, State] = {}
        self._pids: dict[str, int] = {}

    def start(self, names: Sequence[str]) -> None:
        """Ask for all of them in order, then wait until each has a process. Raises AgentError."""
        for name in names:
            if name not in self._before:
                self.begin(name)
        for name in names:
            self._wait_up(name)

    def begin(self, name: str) -> None:
        """Ask for one, and do not wait for it. Raises AgentError."""
        self._before[name] = self._supervised(name)
        self._supervisor.start(name)

    def restart(self, names: Sequence[str]) -> None:
        """Give each a new process, one after the other. Raises AgentError."""
        for name in names:
            before = self._supervised(name)
            self._supervisor.restart(name)
            for _ in tries(time.monotonic() + RESTART_S):
                state = self._supervisor.state(name)
                if state is not None and state.up and state.pid and state.pid != before.pid:
                    self._before[name], self._pids[name] = before, state.pid
                    break
            else:
                raise AgentError(f"service {name} did not restart within {RESTART_S:g} s")

    def fail_if_dead(self) -> None:
        """Raise AgentError with the end of its log if a started service has died since."""
        for name in self._before:
            state = self._supervisor.state(name)
            if state is not None:
                self._judge(name, state)

    def _supervised(self, name: str) -> State:
        """Wait for the supervisor itself, which starts beside us at boot."""
        for _ in tries(time.monotonic() + SUPERVISED_S):
            state = self._supervisor.state(name)
            if state is not None:
                return state
        raise AgentError(f"service {name} is not in this image: nobody supervises it")

    def _wait_up(self, name: str) -> None:
        for _ in tries(time.monotonic() + SUPERVISED_S):
            state = self._supervisor.state(name)
            if state is not None:
                self._judge(name, state)
                if state.up and state.pid:
                    return
        raise AgentError(f"service {name} did not start within {SUPERVISED_S:g} s")

    def _judge(self, name: str, state: State) -> None:
        """Down since another moment than before its start: it has run and died. Another process
        than the first: it died and was started again."""
        first = self._pids.setdefault(name, state.pid) if state.up and state.pid else 0
        again = bool(first) and first != state.pid
        if again or (not state.up and state.since != self._before[name].since):
            how = "and was started again" if again else f"({state.ended})"
            raise AgentError(died(name, how, self._supervisor.log_tail(name)))


def died(name: str, how: str, log: str) -> str:
    """The reason with the end of the log (pure)."""
    words = f"the last lines of its log:\n{log}" if log else "its log is empty"
    return f"service {name} died {how}; {words}"
