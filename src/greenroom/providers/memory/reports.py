"""What a simulated machine says of itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from greenroom.model.proof import RestoreReport
from greenroom.model.stack import Machine, RestoreMode
from greenroom.model.views import Artifact, MachineReport, PhaseTime

_MACHINE_PHASES = ("boot", "restore", "deploy", "services", "checks")


def report_of(machine: Machine) -> MachineReport:
    """The report of a machine on which all went well."""
    return MachineReport(
        machine=machine.name,
        phases=tuple(
            PhaseTime(phase=phase, machine=machine.name, seconds=0.001, message="")
            for phase in _MACHINE_PHASES
        ),
        restore=_restore(machine),
        artifact=_artifact(machine),
        notices=(),
    )


def _artifact(machine: Machine) -> Artifact | None:
    if machine.deploy is None or machine.mount is not None:
        return None
    key = machine.deploy.keys[0]
    return Artifact(key=key, sha256=hashlib.sha256(key.encode()).hexdigest(), fallback=False)


def _restore(machine: Machine) -> RestoreReport | None:
    if machine.volume is None:
        return None
    cloned = machine.volume.mode is RestoreMode.CLONE
    return RestoreReport(
        machine=machine.name,
        source=machine.volume.source,
        mode=machine.volume.mode,
        artefact_sha256="0" * 64,
        taken_at=datetime(2026, 11, 21, 3, tzinfo=UTC),
        verified_at=datetime(2026, 11, 21, 4, tzinfo=UTC),
        restore_s=2.0,
        verify_s=0.5,
        clone_s=0.004 if cloned else None,
        tables=(),
        table_count=0,
        row_count=0,
    )
