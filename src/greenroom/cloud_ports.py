"""What the use cases for AWS ask of an account. ``providers.aws`` implements it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from greenroom.cloud_readings import CloudReadings
from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import (
    ChangeSet,
    CloudRule,
    Network,
    ProposedChanges,
)
from greenroom.model.names import EnvironmentName


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """An object that must lie in greenroom's bucket: same key, same content."""

    key: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled template. ``blobs`` must lie in the bucket before it is used. ``reports`` maps
    each machine to the stack's output that holds what it signalled. ``egress`` is what the groups
    may reach."""

    body: str
    blobs: tuple[Blob, ...]
    resources: int
    machine_of: Callable[[str], str | None]
    """The machine that a logical id belongs to; None for what serves several."""
    reports: Mapping[str, str]
    egress: frozenset[CloudRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a change set is made of. ``existing`` is the id of the stack that it changes; None
    makes a new one. ``role`` is the ARN of the service role that CloudFormation takes."""

    cloud: CloudStack
    template: Template
    network: Network
    tags: Mapping[str, str]
    existing: str | None
    role: str | None = None


class Attention(Protocol):
    """The person at the keyboard: waits that end when they press Ctrl-C."""

    def wait(self, seconds: float) -> None:
        """Sleep; a Ctrl-C ends it early."""

    def check(self) -> None:
        """Raises CancelledError if somebody pressed Ctrl-C."""

    def obey(self, left: str, hint: str) -> None:
        """What was asked for is being done now: the Ctrl-C so far are answered. After another one
        ``check`` and ``wait`` raise an error that says what is ``left`` to whom."""


class CloudAccount(CloudReadings, Protocol):
    """An account to change. Nothing waits for a stack."""

    def prepare(self) -> None:
        """Make ready what the questions to come need, while others wait for answers."""
        ...

    def caller(self) -> str:
        """Who asks, as AWS knows them: the end of their ARN."""

    def last_event(self, stack_id: str) -> str | None:
        """The id of the newest event."""

    def network(self, vpc: str | None, subnets: Sequence[str]) -> Network:
        """VPC and subnets, by id or Name tag, as ids.

        Raises InputError E_AWS_VPC or E_AWS_SUBNET for what is not there, not alone, or empty.
        """

    def require_parameters(self, paths: Sequence[str]) -> None:
        """Refuse (E_AWS_AMI_PARAMETER) SSM parameters that are not there."""

    def require_dns(self, vpc: str) -> None:
        """Refuse (E_AWS_VPC) a VPC that asks no private zone for names."""

    def require_bucket(self, bucket_name: str, setting: str) -> None:
        """Refuse (E_AWS_BUCKET) a bucket that is not there or in another region; ``setting`` is
        where the blueprint names it."""

    def has_object(self, bucket_name: str, key: str) -> bool:
        """Whether the object is there; E_AWS_DENIED for whoever may not know."""

    def root_device(self, ami: str) -> str:
        """The root device of an AMI; E_AWS_AMI if there is none that may be launched."""

    def require_snapshot(self, snapshot: str) -> None:
        """Refuse (E_AWS_SNAPSHOT) a snapshot that is not there, or not completed."""

    def upload(self, bucket_name: str, blobs: Sequence[Blob]) -> int:
        """Put what is missing into the bucket; how many that were."""

    def stack_tags(self, cloud: CloudStack) -> Mapping[str, str]:
        """The tags of a new stack: what another word of the same environment does not change,
        since every resource bears them."""

    def propose(self, proposal: Proposal) -> ProposedChanges:
        """Ask for a change set. There is one at a time for a stack: raises RefusedError
        E_AWS_BUSY if somebody else's is there."""

    def changes(self, proposed: ProposedChanges) -> ChangeSet | None:
        """The change set; None as long as CloudFormation works on it.

        Raises OperationError E_AWS_TEMPLATE if CloudFormation does not take the template.
        """

    def withdraw(self, proposed: ProposedChanges) -> None:
        """Remove the change set, and the stack if it consists of it alone."""

    def execute(self, proposed: ProposedChanges, *, keep_failed: bool) -> None:
        """Let CloudFormation do it."""

    def cancel_update(self, stack_id: str) -> bool:
        """Begin to take back the update that runs; False if none does, or not any more."""

    def protect(self, stack_id: str) -> None:
        """Forbid the stack's deletion."""

    def delete(self, stack_id: str) -> None:
        """Begin to delete the stack."""

    def rules(self, environment: EnvironmentName) -> tuple[CloudRule, ...]:
        """The rules of the environment's own groups, in and out, as EC2 has them."""
