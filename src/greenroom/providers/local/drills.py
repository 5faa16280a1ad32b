"""Machines of their own in which data is restored cold, and the golden volumes that come of it."""

from __future__ import annotations

import dataclasses

from greenroom.errors import BugError, OperationError
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import RestoreReport
from greenroom.model.stack import Machine, RestoreMode, Stack
from greenroom.model.views import MachineReport
from greenroom.ports import Cancellation, Progress
from greenroom.providers.local import firewall, network, pool, volumes
from greenroom.providers.local.boot import Boot, boot_machines
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.machine import remove_container
from greenroom.providers.local.turns import Turns


class Drills:
    """Gives machines their volumes, and runs the drills that this takes. Thread-safe."""

    def __init__(self, layout: Layout, turns: Turns) -> None:
        self._layout = layout
        self._turns = turns
        self._clone_s: dict[tuple[EnvironmentName, str], float] = {}

    def create_volumes(
        self, boot: Boot, stack: Stack, progress: Progress, cancel: Cancellation
    ) -> None:
        """See ``Provider.create_volumes``."""
        for machine in stack.machines:
            if machine.volume is None:
                continue
            if machine.volume.mode is RestoreMode.COLD:
                place = self._layout.machine(stack.environment, machine.name)
                volumes.make_empty_volume(place)
            else:
                self._clone(boot, stack, machine, progress, cancel)

    def with_golden_report(self, stack: Stack, report: MachineReport) -> MachineReport:
        """For a clone, what the drill reported counts, not what the machine says of its volume."""
        machine = stack.machine(report.machine)
        if machine.volume is None or machine.volume.mode is RestoreMode.COLD:
            return report
        drilled = volumes.golden_report(self._layout, volumes.golden_key(stack, machine))
        restore = dataclasses.replace(
            drilled,
            machine=machine.name,
            mode=machine.volume.mode.value,
            clone_s=self._clone_s.pop((stack.environment, machine.name), None),
        )
        return dataclasses.replace(report, restore=restore)

    def run(
        self, boot: Boot, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> MachineReport:
        """See ``Provider.drill``."""
        try:
            cancel.check()
            return self._restore_cold(boot, stack, drill, progress, cancel)[0]
        finally:
            self._remove(stack, drill)

    def _clone(
        self, boot: Boot, stack: Stack, machine: Machine, progress: Progress, cancel: Cancellation
    ) -> None:
        key = volumes.golden_key(stack, machine)
        with self._turns.one_at_a_time(f"golden {key}", cancel):
            if volumes.golden_volume(self._layout, key) is None:
                self._make_golden(boot, stack, machine, key, progress, cancel)
        golden = volumes.golden_volume(self._layout, key)
        if golden is None:
            raise BugError("E_BUG", f"the drill for {machine.name} left no golden volume")
        place = self._layout.machine(stack.environment, machine.name)
        seconds = volumes.clone_golden(place, golden)
        self._clone_s[(stack.environment, machine.name)] = seconds
        progress.done("clone", seconds, machine=machine.name)

    def _make_golden(
        self,
        boot: Boot,
        stack: Stack,
        machine: Machine,
        key: str,
        progress: Progress,
        cancel: Cancellation,
    ) -> None:
        """Restore for real in a machine of its own, and keep its verified volume as golden."""
        drill = next(d for d in stack.drills if d.type == machine.type)
        source = machine.volume.source if machine.volume is not None else None
        does = "makes an empty one" if source is None else f"restores {source} cold and verifies it"
        progress.notice(f"no golden volume to clone yet: a drill {does}", machine.name)
        _, restore = self._restore_cold(boot, stack, drill, progress, cancel)
        family = volumes.golden_family(stack, machine)
        restored = self._layout.machine(stack.environment, drill.name).volume
        volumes.keep_as_golden(self._layout, key, family, restore, restored)
        self._remove(stack, drill)

    def _restore_cold(
        self, boot: Boot, stack: Stack, drill: Machine, progress: Progress, cancel: Cancellation
    ) -> tuple[MachineReport, RestoreReport]:
        """Boot a drill; when it has restored and verified, it is down and its volume is there."""
        place = self._layout.machine(stack.environment, drill.name)
        self._remove(stack, drill)
        volumes.make_empty_volume(place)
        network.attach_machines(self._layout, stack, (drill,))
        firewall.apply_add(self._layout, stack, (drill,), ())
        (report,) = boot_machines(boot, stack, (drill,), progress, cancel)
        remove_container(place)
        if report.restore is None:
            raise OperationError("E_DRILL", f"{drill.name} reported no restore")
        volumes.refuse_disagreement(stack, drill, report.restore)
        return report, report.restore

    def _remove(self, stack: Stack, drill: Machine) -> None:
        place = self._layout.machine(stack.environment, drill.name)
        remove_container(place)
        firewall.apply_remove(self._layout, stack.environment, drill.name)
        network.detach_machine(self._layout, place, drill)
        for folder in (place.bundle, place.data):
            pool.remove_tree(folder)
