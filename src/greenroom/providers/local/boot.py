"""Start machines and wait for what they say of themselves: SUCCESS, FAILURE, or nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from greenroom.errors import OperationError
from greenroom.model.stack import Machine, Stack
from greenroom.model.views import MachineReport, PhaseTime
from greenroom.ports import Cancellation, Progress
from greenroom.providers.local.command import tail
from greenroom.providers.local.console import end_of_console
from greenroom.providers.local.doing import LASTING_S, Doing
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.limits import explained
from greenroom.providers.local.logs import read_tail
from greenroom.providers.local.machine import (
    UserNamespaces,
    lay_out,
    lay_out_again,
    main_pid,
    start,
)
from greenroom.providers.local.residents import Resident
from greenroom.providers.local.signals import Signals, now
from greenroom.providers.local.space import POOL_EATEN_MEND
from greenroom.providers.reports import report_of

_LOOK_EVERY_S = 0.1
_MEND = "mend what the machine says and run the same command again"
_LAST_WORD_S = 2.0
"""The agent's clock for the same deadline starts a little later than ours; what it says when its
time is over tells more than its silence."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot needs to know of the region; ``agent`` is the archive's content."""

    layout: Layout
    agent: bytes
    signals: Signals
    user_namespaces: UserNamespaces


def boot_machines(
    boot: Boot,
    stack: Stack,
    machines: Sequence[Machine],
    progress: Progress,
    cancel: Cancellation,
    *,
    again: bool = False,
) -> tuple[MachineReport, ...]:
    """Start all machines at once and return each one's report, in their order.

    ``again``: from the disk of its last boot, not from the bare image.

    Raises OperationError for the first that fails (E_MACHINE_FAILED), dies (E_MACHINE_DIED) or
    misses its deadline (E_MACHINE_SILENT); if it met a limit before, that is the reason
    (E_MEMORY_LIMIT, E_PROCESS_LIMIT).
    """
    started = now()
    cancel.check()

    def begin(machine: Machine) -> None:
        place = boot.layout.machine(stack.environment, machine.name)
        progress.started("boot", machine.name)
        if main_pid(place) is None:
            if again:
                lay_out_again(place, stack, machine)
            else:
                lay_out(place, stack, machine, boot.agent)
            start(place, stack, machine, boot.user_namespaces)

    # A start is work for a core, so no more at once than there are; and a data server takes
    # longest until it answers, so it begins first.
    order = sorted(machines, key=lambda machine: machine.volume is None)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(begin, order))
    return _all_reports(boot, stack, machines, progress, cancel, started)


def _all_reports(
    boot: Boot,
    stack: Stack,
    machines: Sequence[Machine],
    progress: Progress,
    cancel: Cancellation,
    started: float,
) -> tuple[MachineReport, ...]:
    """Wait for them, and tell meanwhile what takes its time."""
    doing = Doing(progress)
    reports: dict[str, MachineReport] = {}
    while len(reports) < len(machines):
        cancel.check()
        for machine in machines:
            if machine.name in reports:
                continue
            report = _look_explained(boot, stack, machine, started)
            if report is not None:
                reports[machine.name] = _told(progress, report, now() - started)
            elif now() - started >= LASTING_S:
                place = boot.layout.machine(stack.environment, machine.name)
                doing.look(machine.name, _word(place), now())
        if len(reports) < len(machines):
            boot.signals.wait(_LOOK_EVERY_S)
    return tuple(reports[machine.name] for machine in machines)


def _told(progress: Progress, report: MachineReport, seconds: float) -> MachineReport:
    """Tell what the machine reported, and add how long it took from our side."""
    for phase in report.phases:
        progress.done(phase.phase, phase.seconds, machine=report.machine)
    for notice in report.notices:
        progress.notice(notice, report.machine)
    progress.done("boot", seconds, machine=report.machine)
    boot = PhaseTime(phase="boot", machine=report.machine, seconds=seconds, message="")
    return replace(report, phases=(*report.phases, boot))


def _look_explained(
    boot: Boot, stack: Stack, machine: Machine, started: float
) -> MachineReport | None:
    try:
        return _look(boot, stack, machine, started)
    except OperationError as error:
        place = boot.layout.machine(stack.environment, machine.name)
        raise explained(place, machine, error) from error


def _look(boot: Boot, stack: Stack, machine: Machine, started: float) -> MachineReport | None:
    """The machine's report if it is ready, None if it is still at it."""
    resident = Resident(stack, machine)
    place = boot.layout.machine(stack.environment, machine.name)
    signal = boot.signals.of(resident)
    if signal is not None:
        if signal.success:
            return report_of(machine.name, signal.data)
        raise OperationError("E_MACHINE_FAILED", f"{machine.name}: {signal.reason}", hint=_MEND)
    doing = "the last thing it was doing: "
    if main_pid(place) is None:
        if place.stopped.exists():
            raise OperationError("E_POOL_EATEN", place.stopped.read_text(), hint=POOL_EATEN_MEND)
        console = tail(end_of_console(place), 5)
        raise OperationError(
            "E_MACHINE_DIED",
            f"{machine.name} ended before it signalled; {doing}{_phase(place)}"
            + (f"; its console:\n{console}" if console else ""),
        )
    if now() - started > machine.deadline_s + _LAST_WORD_S:
        raise OperationError(
            "E_MACHINE_SILENT",
            f"{machine.name} did not signal within {machine.deadline_s:g} s; "
            f"{doing}{_phase(place)}",
            # Its log is no next step: it goes with the machine.
            hint=f"if it only needs longer, raise deadline_s of machine type {machine.type}",
        )
    return None


def _phase(place: MachineLayout) -> str:
    return _word(place) or "it had not run its user data"


def _word(place: MachineLayout) -> str:
    """What its agent was doing last, as it says; empty before it has begun."""
    return read_tail(place, "phase")
