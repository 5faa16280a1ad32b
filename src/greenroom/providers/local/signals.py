"""Wait conditions: a machine says SUCCESS or FAILURE at its own unguessable URL.

Source of the body's shape: AWS CloudFormation user guide, «Wait condition signals».
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from greenroom.errors import OperationError
from greenroom.model.proof import RestoreReport, TableReport
from greenroom.model.stack import Machine
from greenroom.model.views import Artifact, MachineReport, PhaseTime
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.residents import Resident

BODY_LIMIT_BYTES = 16384


class SignalBody(BaseModel):
    """What a machine PUTs. ``Data`` is a JSON string, see docs/data.md."""

    model_config = ConfigDict(extra="ignore")

    Status: str = Field(pattern="^(SUCCESS|FAILURE)$")
    UniqueId: str
    Reason: str = Field(max_length=8192)
    Data: str = Field(default="{}", max_length=4096)


@dataclass(frozen=True, slots=True)
class Signal:
    """A machine's first signal, which is the one that counts."""

    success: bool
    reason: str
    data: dict[str, Any]


class Signals:
    """Receives signals and lets a boot wait for them. Thread-safe."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._arrived = threading.Condition()

    def receive(self, resident: Resident, body: bytes) -> int:
        """Keep a signal; returns the HTTP status. The first one wins, as on AWS.

        It is on disk before the machine is told that it arrived, so that a crash of the daemon
        between the two cannot lose it.
        """
        if len(body) > BODY_LIMIT_BYTES:
            return 413
        try:
            parsed = SignalBody.model_validate_json(body)
        except ValidationError:
            return 400
        place = self._layout.machine(resident.stack.environment, resident.machine.name)
        with self._arrived:
            if place.bundle.is_dir() and not place.signal.exists():
                partial = place.signal.with_suffix(".partial")
                partial.write_text(parsed.model_dump_json())
                partial.rename(place.signal)
            self._arrived.notify_all()
        return 200

    def of(self, resident: Resident) -> Signal | None:
        """The machine's signal, if it has sent one."""
        place = self._layout.machine(resident.stack.environment, resident.machine.name)
        try:
            parsed = SignalBody.model_validate_json(place.signal.read_bytes())
        except FileNotFoundError:
            return None
        return Signal(parsed.Status == "SUCCESS", parsed.Reason, _object(parsed.Data))

    def wait(self, timeout_s: float) -> None:
        """Wait until any signal arrives, or the time is over."""
        with self._arrived:
            self._arrived.wait(timeout_s)


def now() -> float:
    """The clock of all deadlines here (monotonic seconds)."""
    return time.monotonic()


def report_of(name: str, data: dict[str, Any]) -> MachineReport:
    """A SUCCESS signal's data as values, for the machine of that name.

    The machine wrote it, so whatever does not fit is left out rather than believed.
    """
    phases = tuple(
        PhaseTime(phase=str(row[0]), machine=name, seconds=float(row[1]), message="")
        for row in data.get("phases", [])
        if isinstance(row, list) and len(row) == 2 and isinstance(row[1], int | float)
    )
    artifact = data.get("artifact")
    return MachineReport(
        machine=name,
        phases=phases,
        restore=_restore_report(name, data.get("restore")),
        artifact=None
        if not isinstance(artifact, dict)
        else Artifact(
            key=str(artifact.get("key")),
            sha256=str(artifact.get("sha256")),
            fallback=bool(artifact.get("fallback")),
        ),
        notices=tuple(str(notice) for notice in data.get("notices", [])),
    )


def deploy_report(machine: Machine, data: dict[str, Any]) -> MachineReport:
    """What the agent's ``deploy`` printed, as a report.

    Raises OperationError (E_MACHINE_FAILED) with the agent's reason.
    """
    if "error" in data:
        raise OperationError("E_MACHINE_FAILED", f"{machine.name}: {data['error']}")
    return report_of(machine.name, data)


class _RestoreData(BaseModel):
    model_config = ConfigDict(extra="ignore")

    mode: str
    source: str | None = None
    artefact_sha256: str | None = None
    taken_at: str | None = None
    verified_at: str | None = None
    restore_s: float | None = None
    verify_s: float | None = None
    tables: list[tuple[str, int, str]] = []


def _restore_report(machine: str, data: object) -> RestoreReport | None:
    if data is None:
        return None
    try:
        read = _RestoreData.model_validate(data)
    except ValidationError:
        return None
    return RestoreReport(
        machine=machine,
        source=read.source,
        mode=read.mode,
        artefact_sha256=read.artefact_sha256,
        taken_at=None if read.taken_at is None else datetime.fromisoformat(read.taken_at),
        verified_at=None if read.verified_at is None else datetime.fromisoformat(read.verified_at),
        restore_s=read.restore_s,
        verify_s=read.verify_s,
        clone_s=None,
        tables=tuple(TableReport(name=n, rows=r, checksum=c) for n, r, c in read.tables),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
