"""Wait conditions: a machine says SUCCESS or FAILURE at its own unguessable URL.

Source of the body's shape: AWS CloudFormation user guide, «Wait condition signals».
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from greenroom.errors import OperationError
from greenroom.model.proof import RestoreReport, TableReport
from greenroom.model.stack import Machine
from greenroom.model.views import Artifact, MachineReport, PhaseTime
from greenroom.providers.local.hearsay import is_duration, items, text
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
        return Signal(parsed.Status == "SUCCESS", text(parsed.Reason), _object(parsed.Data))

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
        PhaseTime(phase=text(row[0]), machine=name, seconds=float(row[1]), message="")
        for row in items(data.get("phases"))
        if isinstance(row, list) and len(row) == 2 and is_duration(row[1])
    )
    artifact = data.get("artifact")
    return MachineReport(
        machine=name,
        phases=phases,
        restore=_restore_report(name, data.get("restore")),
        artifact=None
        if not isinstance(artifact, dict)
        else Artifact(
            key=text(artifact.get("key")),
            sha256=text(artifact.get("sha256")),
            fallback=bool(artifact.get("fallback")),
        ),
        notices=tuple(text(notice) for notice in items(data.get("notices"))),
    )


def deploy_report(machine: Machine, data: dict[str, Any], bucket: Path) -> MachineReport:
    """What the agent's ``deploy`` printed, as a report; ``bucket`` is where the artifact lies.

    Raises OperationError (E_MACHINE_FAILED) with the agent's reason.
    """
    if data.get("status") != "SUCCESS":
        reason = text(data.get("error", "its agent did not say that it succeeded"))
        raise OperationError(
            "E_MACHINE_FAILED",
            f"{machine.name}: {reason}",
            hint=f"mend the artifact and its .sha256 in {bucket}, and deploy again",
        )
    return report_of(machine.name, data)


class _RestoreData(BaseModel):
    model_config = ConfigDict(extra="ignore")

    mode: str
    source: str | None = None
    artefact_sha256: str | None = None
    taken_at: AwareDatetime | None = None
    verified_at: AwareDatetime | None = None
    restore_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    verify_s: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    tables: list[tuple[str, int, str]] = []
    table_count: int = Field(default=0, ge=0)
    row_count: int = Field(default=0, ge=0)


def _restore_report(machine: str, data: object) -> RestoreReport | None:
    if data is None:
        return None
    try:
        read = _RestoreData.model_validate(data)
    except ValidationError:
        return None
    return RestoreReport(
        machine=machine,
        source=None if read.source is None else text(read.source),
        mode=text(read.mode),
        artefact_sha256=None if read.artefact_sha256 is None else text(read.artefact_sha256),
        taken_at=read.taken_at,
        verified_at=read.verified_at,
        restore_s=read.restore_s,
        verify_s=read.verify_s,
        clone_s=None,
        tables=tuple(
            TableReport(name=text(n), rows=r, checksum=text(c)) for n, r, c in read.tables
        ),
        table_count=read.table_count,
        row_count=read.row_count,
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
