"""What a machine says of itself when it signals, as values; the same on every provider."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from greenroom.model.proof import RestoreReport, TableReport
from greenroom.model.views import Artifact, MachineReport, PhaseTime
from greenroom.providers.hearsay import is_duration, items, text


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


def object_of(said: str) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    try:
        value = json.loads(said)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


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
