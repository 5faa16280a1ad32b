"""A machine's processes as its supervisor has arranged them, seen from the host.

s6-svscan is the first process; it runs one s6-supervise per service, and that runs the service.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import OperationError
from greenroom.model.incidents import Part
from greenroom.providers.local import kernel
from greenroom.providers.local.beneath import read_file
from greenroom.providers.local.bundle import SCAN_DIR
from greenroom.providers.local.cgroups import cgroup_pids
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import MachineLayout
from greenroom.providers.local.machine import exec_argv, main_pid
from greenroom.providers.local.watch import UNKNOWN, described

_BACK_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05
_GRACE_S = 10.0
_TALLY_BYTES = 14
"""One death in s6's tally: a time stamp (12 bytes), exit code, signal (s6 2.11, s6_dtally_t)."""
_FIRST_PROGRAM = "user-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """``service`` is empty for the machine's first process."""

    part: Part
    service: str
    pid: int


def processes_of(place: MachineLayout, services: Collection[str]) -> tuple[Process, ...]:
    """The first process, and each service's supervisor and main process, as far as they run.

    Whoever is root in the machine can start processes that look like supervisors, as many as it
    likes: so there is one for each of ``services``, the oldest, and none for another name.
    """
    first = main_pid(place)
    if first is None:
        return ()
    parents = {pid: _parent(pid) for pid in cgroup_pids(place.cgroup)}
    found = [Process(part=Part.MACHINE, service="", pid=first)]
    left = set(services)
    for supervisor in sorted((p for p, above in parents.items() if above == first), key=_born):
        service = _supervised(supervisor)
        if service not in left:
            continue
        left.remove(service)
        found.append(Process(part=Part.SUPERVISOR, service=service, pid=supervisor))
        children = [pid for pid, above in parents.items() if above == supervisor]
        if children:
            pid = min(children, key=_born)
            found.append(Process(part=Part.SERVICE, service=service, pid=pid))
    return tuple(found)


def revive(place: MachineLayout, first: int | None, service: str, orphan: int | None) -> bool:
    """Start a service under its new supervisor; ``orphan`` is its process that lost the old one.

    The new supervisor knows nothing of that process, which holds the service's files and ports.
    False if the machine whose first process was ``first`` has ended. Raises OperationError
    (E_SERVICE_DOWN).
    """
    if main_pid(place) != first:
        return False
    if orphan is not None and orphan in cgroup_pids(place.cgroup):
        _end(orphan)
    if not _control(place, service, "-u", first):
        return False
    return wait_for_service(place, first, service)


def start_services(place: MachineLayout, services: tuple[str, ...]) -> tuple[str, ...]:
    """Start those of a running machine that are down; which they were."""
    up = {p.service for p in processes_of(place, services) if p.part is Part.SERVICE}
    down = tuple(service for service in services if service not in up)
    first = main_pid(place)
    for service in down:
        _control(place, service, "-u", first)
    return down


def hold(place: MachineLayout, service: str) -> None:
    """Take a service down until somebody starts it."""
    _control(place, service, "-d", main_pid(place))


def wait_for_service(place: MachineLayout, first: int | None, service: str) -> bool:
    """True as soon as it has a process; False if the machine whose first process was ``first``
    has ended. Raises OperationError (E_SERVICE_DOWN)."""

    def is_settled() -> bool:
        running = processes_of(place, (service,))
        up = any(p.service == service and p.part is Part.SERVICE for p in running)
        return up or main_pid(place) != first

    if not _comes_true(is_settled, _BACK_WITHIN_S):
        raise OperationError(
            "E_SERVICE_DOWN",
            f"{place.name}: service {service} did not start again within {_BACK_WITHIN_S:g} s",
        )
    return main_pid(place) == first


def last_death(place: MachineLayout, service: str) -> str:
    """How s6 says that the service ended last, for kernels that do not tell. The machine could
    write what it likes there, so it is taken for no more than its word."""
    steps = (*SCAN_DIR.strip("/").split("/"), service, "supervise", "death_tally")
    tally = read_file(place.upper, *steps, limit_bytes=_TALLY_BYTES)
    if len(tally) != _TALLY_BYTES:
        return UNKNOWN
    code, number = tally[-2], tally[-1]
    return described(number & 0x7F if number else code << 8)


def _control(place: MachineLayout, service: str, option: str, first: int | None) -> bool:
    """False if the machine whose first process was ``first`` has ended, with which all of its
    supervisors do. Raises OperationError (E_SERVICE_DOWN)."""
    argv = exec_argv(place, ["s6-svc", option, f"{SCAN_DIR}/{service}"], tty=False)
    error: list[OperationError] = []

    def is_told() -> bool:
        if main_pid(place) != first:
            return True
        try:
            run(argv, timeout_s=_GRACE_S)
        except OperationError as again:
            # A new supervisor listens a moment after it was started.
            error[:] = [again]
            return False
        return True

    if not _comes_true(is_told, _GRACE_S):
        raise OperationError(
            "E_SERVICE_DOWN",
            f"{place.name}: nobody supervises service {service} any more: {error[0].message}",
        )
    return main_pid(place) == first


def _end(pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _comes_true(lambda: not kernel.is_alive(pid), _GRACE_S):
            return


def _comes_true(true: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _parent(pid: int) -> int:
    return _status_number(pid, 1)


def _born(pid: int) -> int:
    return _status_number(pid, 19)


def _status_number(pid: int, field: int) -> int:
    """A number of proc_pid_stat(5), counted from what follows the name."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[field])
    except (OSError, ValueError):
        return 0


def _supervised(pid: int) -> str:
    """The service that this s6-supervise runs; empty for another program, and for loggers and
    the first program, which are not services of the machine."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    if len(words) < 2 or words[0].rpartition(b"/")[2] != b"s6-supervise":
        return ""
    service = words[1].decode(errors="replace")
    return "" if "/" in service or service == _FIRST_PROGRAM else service
