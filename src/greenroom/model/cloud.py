"""A Stack with its place on AWS: what the CloudFormation compiler renders and the driver applies.

``greenroom.plan.cloud`` makes it. Nothing in it is secret, and nothing in it is asked of AWS.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.stack import Stack

STACK_NAME_PREFIX = "greenroom-"
"""Begins the name of every CloudFormation stack that is ours, so that a policy can name them."""

PRIVATE_ZONE_MARK = "<private zone>"
"""Stands in a user data for the id of the private hosted zone."""


class Target(StrEnum):
    """The shape of a template."""

    VPC = "vpc"
    """What a reviewer expects today."""
    CLASSIC = "classic"
    """The shape of the seed's template: groups by name, one instance profile per role."""


def wait_handle_mark(machine: str) -> str:
    """Stands in a user data for the URL of the machine's wait handle, which only CloudFormation
    knows. The signs < and > make a shell's quoting necessary; a URL has neither."""
    return f"<wait handle of {machine}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ami:
    """Where an instance's image comes from: exactly one is set.

    ``parameter`` is the path of an SSM parameter whose value is an AMI's id.
    """

    id: str | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPrefix:
    """Objects of an S3 bucket: ``bucket`` as S3 calls it, ``prefix`` of their keys."""

    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataVolume:
    """An EBS volume for a machine's data. ``snapshot`` None: it starts empty, and the agent
    restores. ``initialization_mibps`` (100 to 300) is set with a snapshot only. ``retain``: it
    outlives its stack."""

    size_gib: int
    snapshot: str | None
    initialization_mibps: int | None
    retain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMachine:
    """What AWS must know of the machine ``name`` beyond the Stack.

    ``timeout_s`` is the wait condition's. ``auto_scaling``: it stands in an Auto Scaling group of
    one. ``reads`` is all that its role may read. ``role`` names an existing IAM role to take
    instead of making one. ``repeated_tags``: inherited tags that target classic writes on the
    instance as well.
    """

    name: str
    ami: Ami
    timeout_s: int
    auto_scaling: bool
    root_gib: int
    volume: DataVolume | None
    reads: tuple[ObjectPrefix, ...]
    role: str | None
    own_tags: tuple[tuple[str, str], ...]
    repeated_tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A public hosted zone of Route53; ``name`` without a final dot."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingGroup:
    """A security group that is there already: ``ref`` is its id (``sg-…``) or, in target classic,
    its name."""

    name: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudStack:
    """One environment on AWS.

    ``name`` is the CloudFormation stack's. ``vpc`` is an id, the value of a Name tag, or None for
    the account's default VPC; ``subnets`` are ids or Name tags, empty for all of the VPC.
    ``private_zone`` is the id of an existing private hosted zone; None makes one of the
    environment's own. ``bucket`` (S3 name) is greenroom's own: agent, image recipes, templates.
    ``buckets`` maps the blueprint's names to S3's. ``s3_url`` ends before a bucket's name.
    ``expires_at`` None: never. ``machines`` are in the Stack's order.
    """

    name: str
    stack: Stack
    region: str
    vpc: str | None
    subnets: tuple[str, ...]
    public_addresses: bool
    private_zone: str | None
    public_zone: Zone | None
    key_name: str | None
    existing_groups: tuple[ExistingGroup, ...]
    permissions_boundary: str | None
    bucket: str
    buckets: tuple[tuple[str, str], ...]
    s3_url: str
    agent_sha256: str
    owner: str
    expires_at: datetime | None
    machines: tuple[CloudMachine, ...]

    def machine(self, name: str) -> CloudMachine:
        """The machine called ``name``; raises KeyError."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise KeyError(name)


# What a machine finds in greenroom's own bucket.


def agent_key(sha256: str) -> str:
    """The agent's key."""
    return f"agent/agent-{sha256}.pyz"


def recipe_key(sha256: str) -> str:
    """The key of an image's recipe, by the hash of its bytes."""
    return f"images/{sha256}.json"
