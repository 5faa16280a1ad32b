"""What an AWS account says of stacks, changes and places, parsed: all that ``app.cloud`` knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.names import EnvironmentName

REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"
"""The status of a stack that has a change set and nothing else yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a CloudFormation stack of ours says of itself in its tags.

    ``branch`` is the raw one. ``request`` (an output) holds the words after ``greenroom
    create`` that chose machines and restores, empty if nobody chose.
    """

    environment: EnvironmentName
    branch: str
    owner: str
    production: bool
    expires_at: datetime | None
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStack:
    """A CloudFormation stack as it is now.

    ``status`` is CloudFormation's own word, ``reason`` why, empty where it says nothing.
    ``identity`` None: greenroom did not make it. ``role`` is the ARN of the service role that was
    given to it. ``protected``: it cannot be deleted.
    """

    id: str
    name: str
    status: str
    reason: str
    created_at: datetime
    updated_at: datetime | None
    identity: Identity | None
    tags: Mapping[str, str]
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    protected: bool
    role: str | None = None

    @property
    def moving(self) -> bool:
        """Whether CloudFormation works on it at this moment."""
        return self.status.endswith("_IN_PROGRESS") and self.status != REVIEW_IN_PROGRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """What CloudFormation did to one resource. ``stack_id`` is that of the stack it is in, which
    may be a nested one. ``physical_id`` is empty until there is one."""

    id: str
    at: datetime
    stack_id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str

    @property
    def of_stack(self) -> bool:
        """Whether it is about the stack itself."""
        return self.physical_id == self.stack_id


class ChangeKind(StrEnum):
    """What becomes of a resource."""

    ADD = "add"
    MODIFY = "modify"
    REPLACE = "replace"
    MAY_REPLACE = "may replace"
    """CloudFormation knows only while it does it."""
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a change set. ``details`` are the properties that differ."""

    kind: ChangeKind
    logical_id: str
    type: str
    physical_id: str
    details: tuple[str, ...] = ()

    @property
    def destructive(self) -> bool:
        """Whether something that is there may be gone afterwards."""
        return self.kind in (ChangeKind.REPLACE, ChangeKind.MAY_REPLACE, ChangeKind.REMOVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedChanges:
    """A change set that was asked for, by the ids that AWS gave it and its stack."""

    id: str
    stack_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """What CloudFormation would do. ``empty``: nothing at all, and the change set is gone already.
    One that is not ``empty`` and has no ``changes`` changes outputs alone."""

    proposed: ProposedChanges
    changes: tuple[Change, ...]
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where instances stand, by id."""

    vpc: str
    subnets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRule:
    """A rule of a group as EC2 has it: ``group`` and ``source`` are groups' names in the
    environment where they have one, else ids; a ``source`` may be a CIDR. With ``egress`` it is
    what the group may reach. Protocol ``-1`` is every one, with ports of -1."""

    group: str
    protocol: str
    first: int
    last: int
    source: str
    egress: bool = False

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        traffic = "everything" if self.protocol == "-1" else f"{ports}/{self.protocol}"
        if self.egress:
            return f"{self.group} out to {self.source} {traffic}"
        return f"{self.source} to {self.group} {traffic}"
