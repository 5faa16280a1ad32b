"""The end of all processes of a cgroup: killed at once, waited for without looking time and again.

A machine's processes are not the daemon's children, so their end is told by process descriptors
(pidfd_open(2)).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Sequence

from greenroom.errors import OperationError
from greenroom.providers.local.cgroups import cgroup_pids, thaw_above, thaw_below

_DIE_TIMEOUT_S = 10.0
_END_KINDLY_S = 20.0
"""For a database to write down what it holds; InnoDB recovers from a kill as well."""
KILL_MEND = "cat /proc/PID/wchan tells what a process waits for; when it goes on, try again"


def kill_all(cgroup: str) -> None:
    """Kill whatever is in the cgroup and below, until nothing is. Idempotent.

    Raises OperationError (E_MACHINE_KILL) if something does not die.
    """
    end = time.monotonic() + _DIE_TIMEOUT_S
    # Again, because a process may have made another one before it was killed.
    while pids := cgroup_pids(cgroup):
        _kill(pids, cgroup, end)
        if time.monotonic() > end:
            listed = ", ".join(map(str, sorted(pids)))
            raise OperationError(
                "E_MACHINE_KILL",
                f"processes of {cgroup.strip('/')} do not die: {listed}",
                hint=KILL_MEND,
            )


def end_kindly(pids: Sequence[int]) -> None:
    """Ask the first processes of machines to end, and wait for a while until they have.

    s6-svscan has its services end and then ends itself, and with it all that is in its process
    namespace (s6-svscan, "Signals"; pid_namespaces(7)). What does not is for ``kill_all``.
    """
    with contextlib.ExitStack() as undo:
        waiting, left = _signalled(undo, pids, signal.SIGTERM)
        _wait(waiting, left, time.monotonic() + _END_KINDLY_S)


def _kill(pids: set[int], cgroup: str, end: float) -> None:
    with contextlib.ExitStack() as undo:
        waiting, left = _signalled(undo, pids, signal.SIGKILL)
        # What is held still does not even die (cgroup-v1/freezer-subsystem).
        thaw_above(cgroup)
        thaw_below(cgroup)
        _wait(waiting, left, end)


def _signalled(
    undo: contextlib.ExitStack, pids: Iterable[int], number: signal.Signals
) -> tuple[select.poll, int]:
    """Those that were still there, as a poll that tells of their ends, and how many they are."""
    waiting = select.poll()
    left = 0
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            undo.callback(os.close, descriptor)
            signal.pidfd_send_signal(descriptor, number)
            waiting.register(descriptor, select.POLLIN)
            left += 1
    return waiting, left


def _wait(waiting: select.poll, left: int, end: float) -> None:
    while left and (patience_s := end - time.monotonic()) > 0:
        for descriptor, _ in waiting.poll(patience_s * 1000):
            waiting.unregister(descriptor)
            left -= 1
