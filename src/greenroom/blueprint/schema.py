"""The blueprint as a team writes it: one pydantic model per mapping of the file.

The descriptions stand in the published JSON Schema, where editors show them. What one value
must look like is checked here; what refers to something else in the file, in ``references``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from greenroom.blueprint import fields
from greenroom.blueprint.aws import AwsMachineSpec, AwsSpec
from greenroom.blueprint.instance_types import DEFAULT_INSTANCE_TYPE
from greenroom.blueprint.jobs import JobSpec
from greenroom.blueprint.lifetime import LifetimeSpec
from greenroom.blueprint.part import Names, Part, without_repeats
from greenroom.model.stack import Protocol

MACHINES_MAX = 50
NO_RESTORE = "none"

Tags = dict[fields.TagKey, fields.TagValue]


class EngineName(StrEnum):
    """The database engines that greenroom can restore."""

    MARIADB = "mariadb"


class BucketSpec(Part):
    """A place that artifacts and extracts are fetched from."""

    path: str
    """Local folder that holds the bucket's objects, relative to the blueprint."""


class ServiceSpec(Part):
    """A supervised process of an image."""

    command: fields.ShellText
    """Shell line that runs the service in the foreground, normally `exec PROGRAM …`."""


class ImageSpec(Part):
    """A recipe for a root filesystem."""

    suite: fields.SuiteName = "bookworm"
    """Debian suite that the image is made from."""
    packages: Annotated[tuple[fields.PackageName, ...], AfterValidator(without_repeats)] = ()
    """Debian packages to install."""
    files: dict[fields.AbsolutePath, str] = {}
    """Files to put into the image: path in the image to source file, relative to the blueprint."""
    commands: tuple[fields.ShellText, ...] = ()
    """Shell lines that run in the image when it is built, after packages and files."""
    services: dict[fields.ServiceName, ServiceSpec] = {}
    """Services, in the order in which a machine starts them."""
    ami: fields.AmiReference | None = None
    """On AWS: an AMI's id or the SSM parameter that holds one [default: Debian's own of the suite,
    on which the machine makes the image as it boots]."""


class IngressSpec(Part):
    """Who may reach the members of a group."""

    port: fields.Ports
    """Port or range: `80` or `"8000-8100"`."""
    protocol: Annotated[Protocol, Field(strict=False)] = Protocol.TCP
    """Transport protocol."""
    source: Annotated[fields.IngressSource, Field(alias="from")]
    """A machine type, a group, a CIDR such as `10.0.0.0/8`, or `anywhere`."""


class GroupSpec(Part):
    """A security group that machines of several types may join."""

    description: fields.Text = ""
    """What its members have in common."""
    tags: Tags = {}
    """Tags that its members inherit."""
    ingress: tuple[IngressSpec, ...] = ()
    """Who may reach its members."""
    existing: fields.AwsName | None = None
    """On AWS: the group is there already, by this id (`sg-…`) or, in target classic, name."""


class EndpointSpec(Part):
    """The name under which a machine type is reached from outside."""

    name: fields.Label
    """First label of the host name: `api` gives `api.BRANCH.ZONE`."""
    port: fields.Port
    """Port that answers; an ingress rule must open it."""


class DeploySpec(Part):
    """Where a machine's code comes from."""

    bucket: str
    """Bucket that holds the artifacts."""
    artifact: fields.ArtifactKey
    """Object's key; `{branch}` stands for the branch's name."""
    directory: fields.AbsolutePath
    """Directory in the machine that the artifact is unpacked under."""
    restart: Names = ()
    """Services to restart after a deploy."""
    keep: dict[fields.RelativePath, fields.UserName] = {}
    """Folders of the code that outlive a release, such as uploads: path to the user who owns it."""


class PuppetSpec(Part):
    """`puppet apply` in the machine, which its image must have."""

    bucket: str
    """Bucket that holds the manifests and modules."""
    artifact: fields.ArtifactKey
    """Object's key; `{branch}` stands for the machine's tag `puppetbranch`, or the default
    branch."""
    manifest: fields.RelativePath = "manifests/site.pp"
    """The manifest to apply, in the artifact; its folder `modules` holds the modules."""


class ProvisionSpec(Part):
    """What configures a machine at its first boot: exactly one of shell and puppet."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [k]} for k in ("shell", "puppet")]}
    )

    shell: Annotated[tuple[fields.ShellText, ...], Field(min_length=1)] | None = None
    """Shell lines, run as root; the first that fails ends the boot."""
    puppet: PuppetSpec | None = None
    """Puppet's manifests, applied before the services start and again with each deploy."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [k for k in ("shell", "puppet") if getattr(self, k) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"a provision has exactly one of shell and puppet, here {found}")
        return self


class RestoreSourceSpec(Part):
    """One thing that a database can be restored from."""

    bucket: str
    """Bucket that holds the manifest and the files that it names."""
    manifest: fields.ObjectKey
    """Key of the manifest."""


class DataSpec(Part):
    """The database of a machine type, and how it is restored."""

    engine: Annotated[EngineName, Field(strict=False)]
    """Database engine."""
    database: fields.SqlName
    """Name of the database."""
    user: fields.SqlName
    """Name of the database's user."""
    directory: fields.AbsolutePath
    """Where the data volume is mounted."""
    service: str
    """The image's service that serves the data."""
    default: str = NO_RESTORE
    """Restore source used when a create names none; `none` gives an empty database."""
    restore: dict[fields.Label, RestoreSourceSpec] = {}
    """Restore sources by name, such as `extract` and `backup`."""


class CheckSpec(Part):
    """A health check: exactly one of http, tcp and command."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [k]} for k in ("http", "tcp", "command")]}
    )

    http: fields.HttpPath | None = None
    """Path that a GET on the machine's own port must answer."""
    port: fields.Port | None = None
    """Port of an http check; 80 unless said otherwise."""
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    """Status that an http check expects; 200 unless said otherwise."""
    contains: fields.Text | None = None
    """Text that the body of an http check must hold."""
    tcp: fields.Port | None = None
    """Port that must accept a connection."""
    command: Annotated[tuple[fields.Word, ...], Field(min_length=1)] | None = None
    """Program and arguments that must exit with 0 in the machine."""
    deadline_s: fields.Seconds = 30.0
    """How long the check may take to pass."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [k for k in ("http", "tcp", "command") if getattr(self, k) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"a check has exactly one of http, tcp and command, here {found}")
        for key in ("port", "status", "contains"):
            if self.http is None and getattr(self, key) is not None:
                raise ValueError(f"{key!r} belongs to an http check; this is a {given[0]} check")
        return self


class SubscribeSpec(Part):
    """Whose comings and goings the machines are told of."""

    roles: Annotated[Names, Field(min_length=1)]
    """Roles of the machines that are meant, in the same environment or shared by all."""
    hook: fields.AbsolutePath
    """Program in the machine that is run at each event, with the peer's facts as JSON on its
    standard input."""


class InstanceProfileSpec(Part):
    """What a machine may read. Without `read`: only what its own deploy and restore need."""

    read: Names | None = None
    """Buckets that the machine may read."""
    role: fields.RoleName | None = None
    """On AWS: an existing IAM role to take, instead of one made for each machine type."""


class MachineTypeSpec(Part):
    """A kind of machine: what it runs, who may reach it, what it needs."""

    image: str
    """Image that the machines boot."""
    instance_type: fields.InstanceTypeName = DEFAULT_INSTANCE_TYPE
    """EC2 instance type; its memory is also a local machine's limit."""
    count: Annotated[int, Field(ge=1, le=MACHINES_MAX)] = 1
    """How many machines an environment has unless `--machines TYPE=N` says otherwise."""
    memory_mib: Annotated[int, Field(ge=32, le=1048576)] | None = None
    """Memory limit of a local machine, instead of the instance type's."""
    pids: Annotated[int, Field(ge=16, le=32768)] | None = None
    """Limit on the number of processes of a local machine."""
    deadline_s: fields.Seconds = 120.0
    """How long a machine may take to signal that it is up."""
    shared: bool = False
    """Whether the machine serves all environments of the stack; then it is in none of them but
    in the stack's shared environment, and a group in its ingress means that group's members in
    every environment."""
    groups: Names = ()
    """Groups that the machines join besides their type's own."""
    tags: Tags = {}
    """Tags of the type's own group, which its machines inherit. `role` defaults to the type."""
    machine_tags: Tags = {}
    """Tags of the machines themselves; they win over inherited ones."""
    instance_profile: str | None = None
    """Instance profile of the machines."""
    needs: Names = ()
    """Machine types that must be in the same environment."""
    ingress: tuple[IngressSpec, ...] = ()
    """Who may reach the machines."""
    endpoint: EndpointSpec | None = None
    """The name under which the first machine is reached from outside."""
    provision: ProvisionSpec | None = None
    """What configures the machines at their first boot."""
    deploy: DeploySpec | None = None
    """Where the machines' code comes from."""
    data: DataSpec | None = None
    """The database that the machines hold."""
    check: tuple[CheckSpec, ...] = ()
    """Health checks."""
    subscribe: SubscribeSpec | None = None
    """Whom the machines are told of when it comes, goes or turns unhealthy (not on AWS)."""
    aliases: tuple[fields.TypeName, ...] = ()
    """Other names of the type that a request may use."""
    aws: AwsMachineSpec = AwsMachineSpec()
    """How the machines stand on AWS."""


class BlueprintDocument(Part):
    """A stack: its machine types, the flows between them, what they deploy, restore and check."""

    model_config = ConfigDict(defer_build=False)

    stack: fields.StackName
    """Name of the stack."""
    default_branch: fields.BranchName = "master"
    """Branch whose environment is production, and whose artifacts stand in for missing ones."""
    zone: fields.Zone
    """DNS zone of the stack: machines are named `MACHINE.BRANCH.ZONE`."""
    buckets: dict[fields.Label, BucketSpec] = {}
    """Places that artifacts and extracts are fetched from."""
    images: Annotated[dict[fields.TypeName, ImageSpec], Field(min_length=1)]
    """Recipes of root filesystems."""
    groups: dict[fields.TypeName, GroupSpec] = {}
    """Security groups besides those that every machine type has."""
    machines: Annotated[dict[fields.TypeName, MachineTypeSpec], Field(min_length=1)]
    """Machine types."""
    instance_profiles: dict[fields.Label, InstanceProfileSpec] = {}
    """What machines may read, by name of the profile."""
    lifetime: LifetimeSpec | None = None
    """How long environments live and at which hours they run [default: always, without an end]."""
    jobs: dict[fields.TypeName, JobSpec] = {}
    """What people may run; more of them in `jobs/NAME.yaml` beside the blueprint."""
    aws: AwsSpec | None = None
    """Where the stack stands on AWS; needed for `--provider aws` and `greenroom template`."""


class Blueprint(BlueprintDocument):
    """A blueprint file that was found to be without fault, with all that it refers to.

    ``path`` is the file itself, absolute. ``contents`` maps each source file of the images, as
    the blueprint writes it, to its text: a plan needs nothing else and reads nothing.
    """

    model_config = ConfigDict(defer_build=True)

    path: Path
    contents: Mapping[str, str]
