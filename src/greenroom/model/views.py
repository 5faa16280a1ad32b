"""What the control plane tells its clients; the CLI and the API serialise these to JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.events import OperationStatus
from greenroom.model.incidents import Incident
from greenroom.model.proof import Proof, RestoreReport, Verdict
from greenroom.model.receipt import Receipt


class EnvironmentStatus(StrEnum):
    """Where an environment stands."""

    CREATING = "creating"
    READY = "ready"
    NOT_PROVED = "not proved"
    RECOVERING = "recovering"
    STOPPING = "stopping"
    STOPPED = "stopped"
    """Its machines have ended on purpose; their disks and volumes are there."""
    STARTING = "starting"
    FAILED = "failed"
    DESTROYING = "destroying"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTime:
    """How long a phase took; ``machine`` is None for a phase of the whole environment."""

    phase: str
    machine: str | None
    seconds: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The code that a machine runs. ``fallback``: the default branch's, for want of its own."""

    key: str
    sha256: str
    fallback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """What a machine said of itself when it signalled SUCCESS."""

    machine: str
    phases: tuple[PhaseTime, ...]
    restore: RestoreReport | None
    artifact: Artifact | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """One line of ``greenroom list``. ``name`` is ``photos/feature-x``; a ``shared`` environment
    belongs to no branch. ``instance_types`` are those of ``machines``, in their order.
    ``expires_at`` None: it never expires; ``warned_at`` is when its owner was told that it soon
    does, ``stopped_at`` since when its machines are stopped."""

    name: str
    branch: str
    status: EnvironmentStatus
    production: bool
    shared: bool
    verdict: Verdict
    url: str | None
    machines: tuple[str, ...]
    instance_types: tuple[str, ...]
    created_at: datetime
    operation: str | None
    owner: str
    expires_at: datetime | None
    warned_at: datetime | None
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """A machine of an environment as ``greenroom show`` prints it."""

    name: str
    type: str
    role: str
    instance_id: str
    instance_type: str
    image: str
    address: str
    private_dns: str
    groups: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    artifact: Artifact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDetail:
    """All of ``greenroom show``. ``create_s`` is the wall time from accepted to proved;
    ``incidents`` are the newest of the environment and of the region, the oldest first."""

    summary: EnvironmentView
    machines: tuple[MachineView, ...]
    urls: tuple[str, ...]
    phases: tuple[PhaseTime, ...]
    restores: tuple[RestoreReport, ...]
    proof: Proof | None
    create_s: float | None
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """An operation as clients see it; ``receipt`` is that of a finished destroy."""

    id: str
    kind: str
    environment: str
    status: OperationStatus
    created_at: datetime
    ended_at: datetime | None
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image in the pool; ``bytes`` is the size of its archive."""

    name: str
    digest: str
    bytes: int
    built_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a service of a machine wrote."""

    machine: str
    service: str
    line: str
