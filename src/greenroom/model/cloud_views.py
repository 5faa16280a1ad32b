"""What the CLI shows of environments on AWS: read from the account, never from records of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.costs import Amount, Cost
from greenroom.model.proof import Proof, RestoreReport, Verdict
from greenroom.model.views import Artifact, PhaseTime


class CloudStatus(StrEnum):
    """Where an environment on AWS stands, in our words."""

    PLANNED = "planned"
    """It has a change set and nothing else."""
    CREATING = "creating"
    UPDATING = "updating"
    ROLLING_BACK = "rolling back"
    READY = "ready"
    DEGRADED = "degraded"
    """CloudFormation is done with it, and a machine of it does not run."""
    FAILED = "failed"
    DESTROYING = "destroying"


class Power(StrEnum):
    """The states of an instance (EC2 API, InstanceState)."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenInstance:
    """An instance with our tags. ``machine`` and ``environment`` are what its tags say;
    ``logical_id`` is CloudFormation's, empty if its tag is not there. ``groups`` are ids."""

    id: str
    environment: str
    machine: str
    logical_id: str
    type: str
    power: Power
    launched_at: datetime
    private_ip: str
    public_ip: str
    image: str
    groups: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def billed(self) -> bool:
        """Whether AWS charges for its time: not while it is stopped or gone."""
        return self.power in (Power.PENDING, Power.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVolume:
    """An EBS volume with our tags; ``machine`` is empty if none is named. ``root``: a machine
    boots from it."""

    id: str
    environment: str
    machine: str
    root: bool
    type: str
    size_gib: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenResource:
    """A resource of a stack, as CloudFormation lists it. ``changed_at``: when it got its status."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEnvironment:
    """One line of ``greenroom list --provider aws``.

    ``aws_status`` is CloudFormation's own word, ``reason`` why. ``cost`` is that of the instances,
    volumes and public addresses which are there now; None where nobody may look. ``machines`` are
    names. ``expires_at`` None: never.
    """

    name: str
    branch: str
    status: CloudStatus
    aws_status: str
    reason: str
    production: bool
    protected: bool
    verdict: Verdict
    url: str | None
    machines: tuple[str, ...]
    created_at: datetime
    updated_at: datetime | None
    owner: str
    expires_at: datetime | None
    expired: bool
    region: str
    stack_name: str
    stack_id: str
    cost: Cost | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMachineView:
    """A machine as ``greenroom show`` prints it. ``power`` is EC2's word, ``missing`` if there is
    no instance."""

    name: str
    instance_id: str
    instance_type: str
    power: str
    address: str
    public_address: str
    image: str
    artifact: Artifact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDetail:
    """All of ``greenroom show --provider aws``. ``create_s`` is the stack's own time, None while
    it is being made; ``cost_usd`` is what has accrued since the create."""

    summary: CloudEnvironment
    machines: tuple[CloudMachineView, ...]
    urls: tuple[str, ...]
    resources: tuple[SeenResource, ...]
    phases: tuple[PhaseTime, ...]
    restores: tuple[RestoreReport, ...]
    notices: tuple[str, ...]
    proof: Proof
    create_s: float | None
    cost_usd: Amount | None


class Reason(StrEnum):
    """Why something is still there after a destroy."""

    KEPT = "kept"
    """On purpose: production's data, or what --retain named."""
    GOING = "going"
    """AWS is removing it, and shows it a while longer."""
    LEFT_OVER = "left over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """Something in the account that bears an environment's tags. ``kind`` as a person says it
    (``volume``); ``why`` it is still there; ``note`` says more, or is empty."""

    kind: str
    id: str
    why: Reason
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudReceipt:
    """What a destroy removed and what the account still holds, looked for by tag.

    ``removed`` are the stack's resources that are gone. ``unseen`` names kinds that could not be
    looked for, with the reason. ``cost_usd`` is what the environment has cost by the second since
    its create, None if that is not known.
    """

    environment: str
    stack_id: str
    removed: tuple[SeenResource, ...]
    remains: tuple[Remainder, ...]
    unseen: tuple[str, ...]
    seconds: float
    cost_usd: Amount | None

    def because(self, why: Reason) -> tuple[Remainder, ...]:
        """What remains for that reason."""
        return tuple(each for each in self.remains if each.why is why)


class DriftKind(StrEnum):
    """How a part of an environment differs from what was declared."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    STATE = "state"
    """An instance that does not run."""
    BLUEPRINT = "blueprint"
    """The blueprint at hand would make it otherwise than it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as declared. ``resource`` is the logical id (or a group's), ``where``
    the property; ``expected`` and ``actual`` are texts, empty where there is none."""

    kind: DriftKind
    resource: str
    type: str
    physical_id: str
    where: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """A resource that nobody could compare, and why."""

    resource: str
    type: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What CloudFormation's comparison found. ``compared`` are the logical ids that it could
    compare, alike or not."""

    differences: tuple[Difference, ...]
    unverified: tuple[Unverified, ...]
    compared: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRule:
    """A rule of a security group as EC2 has it; ``words`` say it to a person, the same for the
    same rule."""

    id: str
    group: str
    words: str
    egress: bool = False


def rule_words(other: str, protocol: str, first: int, last: int, *, egress: bool) -> str:
    """``0.0.0.0/0 to 22 tcp``; of egress ``to 0.0.0.0/0 443 tcp``. Protocol ``-1`` is every one."""
    ports = "" if protocol == "-1" else f" {first if first == last else f'{first}-{last}'}"
    traffic = f"{ports} {'everything' if protocol == '-1' else protocol}"
    return f"to {other}{traffic}" if egress else f"{other} to{traffic}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """What differs between the Stack and the account. ``compared`` counts resources that were
    compared and found alike or different."""

    environment: str
    at: datetime
    differences: tuple[Difference, ...]
    unverified: tuple[Unverified, ...]
    compared: int

    @property
    def verdict(self) -> Verdict:
        """FAILED with a difference; NOT_VERIFIED if not everything was compared; else PROVED."""
        if self.differences:
            return Verdict.FAILED
        return Verdict.NOT_VERIFIED if self.unverified or not self.compared else Verdict.PROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command in a machine did. ``cut``: its output was longer than AWS hands over."""

    exit_code: int
    stdout: str
    stderr: str
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLines:
    """What one look at a machine's logs found: pairs of service and line. ``places`` goes into the
    next look; ``more``: there is more already. ``notice`` says what was left out, or is empty."""

    lines: tuple[tuple[str, str], ...]
    places: Mapping[str, tuple[int, int]]
    more: bool
    notice: str = ""
