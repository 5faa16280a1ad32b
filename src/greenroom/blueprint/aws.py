"""What a blueprint says for AWS alone: the account's places, and how a machine stands there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from greenroom.blueprint import fields
from greenroom.blueprint.part import Names, Part

TIMEOUT_S_DEFAULT = 1800
TTL_H_DEFAULT = 24.0
ROOT_GIB_DEFAULT = 8
DATA_GIB_DEFAULT = 20
INITIALIZATION_MIBPS_DEFAULT = 300


class PublicZoneSpec(Part):
    """A public hosted zone of Route53 that endpoints get a name in."""

    id: fields.HostedZoneId
    """Id of the hosted zone, such as `Z3HTG0V9588TAA`."""
    name: fields.Zone
    """Name of the hosted zone, such as `example.com`."""


class AwsSpec(Part):
    """Where the stack stands on AWS."""

    region: fields.RegionName
    """Region, such as `eu-west-1`; `--region` and AWS_REGION win."""
    bucket: fields.S3BucketName
    """S3 bucket that greenroom keeps its agent, image recipes and templates in."""
    buckets: dict[fields.Label, fields.S3BucketName] = {}
    """The S3 bucket behind each of the blueprint's buckets."""
    vpc: fields.AwsName | None = None
    """VPC by id or by its Name tag [default: the account's default VPC]."""
    subnets: Annotated[tuple[fields.AwsName, ...], Field(max_length=16)] = ()
    """Subnets by id or Name tag; machines are spread over them [default: all of the VPC]."""
    public_addresses: bool = False
    """Whether machines get public IPv4 addresses. Without them, endpoints have private names."""
    private_zone: fields.HostedZoneId | None = None
    """Existing private hosted zone for the machines' names [default: one is made]."""
    public_zone: PublicZoneSpec | None = None
    """Public hosted zone for the endpoints' names."""
    key_name: fields.AwsName | None = None
    """EC2 key pair; nothing needs it, since shells go through Session Manager."""
    permissions_boundary: fields.AwsArn | None = None
    """Policy that bounds every role that the template makes."""
    ttl_h: Annotated[float, Field(gt=0, le=8760)] | None = TTL_H_DEFAULT
    """Hours after which an environment says it has expired; production never does."""


class AwsMachineSpec(Part):
    """How a machine type stands on AWS."""

    timeout_s: Annotated[int, Field(ge=60, le=43200)] = TIMEOUT_S_DEFAULT
    """How long the stack waits for the machine's signal."""
    auto_scaling: bool = False
    """Put each machine in an Auto Scaling group of one, so that AWS replaces a lost one. Not for
    machines with data."""
    root_gib: Annotated[int, Field(ge=4, le=16384)] = ROOT_GIB_DEFAULT
    """Size of the root volume (gp3, encrypted)."""
    data_gib: Annotated[int, Field(ge=1, le=16384)] = DATA_GIB_DEFAULT
    """Size of the data volume, where the machine holds data."""
    snapshots: dict[fields.Label, fields.SnapshotId] = {}
    """EBS snapshots by restore source: the data volume starts from it, and nothing is restored."""
    initialization_mibps: Annotated[int, Field(ge=100, le=300)] = INITIALIZATION_MIBPS_DEFAULT
    """Rate at which a volume is filled from its snapshot, in MiB/s."""
    repeated_tags: Names = ()
    """Inherited tags that target classic writes on the instances as well."""
