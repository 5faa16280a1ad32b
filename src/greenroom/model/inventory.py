"""What the inventory knows of machines: one record each, and every change of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Health(StrEnum):
    """How a machine stands. Who is gone has no record any more."""

    STARTING = "starting"
    """It boots, or an operation is about to boot it."""
    HEALTHY = "healthy"
    """It runs, and what it says of its services and checks is good."""
    UNHEALTHY = "unhealthy"
    """It runs, but something in it does not; the record's ``failing`` says what."""
    STOPPED = "stopped"
    """It does not run, and nothing is about to start it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRecord:
    """A machine of an environment, as others are told of it.

    ``environment`` is ``photos/feature-x`` and ``slug`` its second half; a shared machine belongs
    to no branch, and its ``branch`` is empty. ``public_dns`` is the name under which the machine
    answers from outside; ``services`` are what it offers, by name and port (``http``, 80).
    ``image_digest`` and ``artifact_sha256`` are in hex. ``since`` is when its present life began,
    ``health_since`` when its health became what it is.
    """

    environment: str
    name: str
    stack: str
    slug: str
    branch: str
    production: bool
    type: str
    role: str
    instance_id: str
    instance_type: str
    address: str
    private_dns: str
    public_dns: str | None
    services: tuple[tuple[str, int], ...]
    groups: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    image: str
    image_digest: str
    artifact_key: str | None
    artifact_sha256: str | None
    health: Health
    failing: str
    since: datetime
    health_since: datetime

    @property
    def key(self) -> MachineKey:
        """Whose record it is."""
        return (self.environment, self.name)

    @property
    def is_up(self) -> bool:
        """Whether it runs, well or not."""
        return self.health in (Health.HEALTHY, Health.UNHEALTHY)


MachineKey = tuple[str, str]
"""Environment and machine: ``("photos/feature-x", "backend1")``."""


class ChangeKind(StrEnum):
    """What a change is."""

    CAME = "came"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field before and after, as JSON writes its values."""

    field: str
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChange:
    """What happened to a machine's record: ``record`` is the whole of it as it came, or as it was
    when it went; of one that changed it is None, and ``fields`` are those that did."""

    at: datetime
    environment: str
    machine: str
    kind: ChangeKind
    record: MachineRecord | None = None
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineQuery:
    """Which machines are wanted; what is None is not asked for. ``branch`` is a branch or its
    slug, ``stacks`` those that the caller may see."""

    environment: str | None = None
    name: str | None = None
    stack: str | None = None
    role: str | None = None
    branch: str | None = None
    health: Health | None = None
    stacks: frozenset[str] | None = None

    def matches(self, record: MachineRecord) -> bool:
        """Whether the record is among those that are wanted."""
        # Asked of each of a hundred thousand: written out, it takes a tenth of what «in» takes.
        return (
            (self.environment is None or self.environment == record.environment)
            and (self.name is None or self.name == record.name)
            and (self.stack is None or self.stack == record.stack)
            and (self.role is None or self.role == record.role)
            and (self.branch is None or self.branch in (record.branch, record.slug))
            and (self.health is None or self.health is record.health)
            and (self.stacks is None or record.stack in self.stacks)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MachinePage:
    """Machines by environment and name; ``next`` is where the following page begins, if any."""

    machines: tuple[MachineRecord, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWord:
    """What a machine said of its health last: nothing if all is well. It was heard at ``heard_s``
    on the monotonic clock, and says the same since ``changed_s``."""

    problems: tuple[str, ...]
    heard_s: float
    changed_s: float


class PeerEvent(StrEnum):
    """What a machine is told of a peer."""

    CAME = "came"
    """It runs now, and did not; or whoever is told runs only now."""
    GONE = "gone"
    """It runs no more."""
    UNHEALTHY = "unhealthy"
    HEALTHY = "healthy"
    """It was unhealthy, and is not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerNotice:
    """A word to the machine ``to`` (a key) about a peer, as it stood ``at`` that time."""

    to: MachineKey
    event: PeerEvent
    peer: MachineRecord
    at: datetime
