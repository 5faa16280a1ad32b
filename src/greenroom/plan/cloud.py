"""A blueprint and a request to a Stack on AWS: the same Stack, and its place in the account."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from greenroom.blueprint.aws import AwsSpec
from greenroom.blueprint.schema import Blueprint, MachineTypeSpec
from greenroom.errors import InputError
from greenroom.model.cloud import (
    STACK_NAME_PREFIX,
    Ami,
    CloudMachine,
    CloudStack,
    DataVolume,
    ExistingGroup,
    ObjectPrefix,
    Target,
    Zone,
    agent_key,
    recipe_key,
)
from greenroom.model.lifetimes import end_of
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import Machine, RestoreMode, Stack
from greenroom.plan.allocation import Allocation
from greenroom.plan.place import CloudPlace
from greenroom.plan.plan import domain_of, environment_of, resolve
from greenroom.plan.recipe import recipe_bytes, sha256_of
from greenroom.plan.selection import RestoreChoice, Selection, select

_DEBIAN_RELEASES = {"bookworm": 12, "trixie": 13}
"""Older ones have a curl that cannot sign, which boot scripts need."""
_ARM_FAMILIES = ("t4g", "m7g", "c7g", "r7g")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAsk:
    """What neither blueprint nor request says.

    ``region`` None: the blueprint's. ``s3_endpoint`` None: AWS's own of the region; else the URL
    of a service that speaks S3 with the bucket in the path; ``route53_endpoint`` likewise, without
    a path. ``taken`` maps the slugs in use in the account to their raw branches. ``agent_sha256``
    is in hex, ``now`` aware. ``target`` is what will be compiled: in classic machines have no
    volumes of their own for data.
    """

    agent_sha256: str
    owner: str
    now: datetime
    taken: Mapping[str, str]
    region: str | None = None
    s3_endpoint: str | None = None
    target: Target = Target.VPC
    route53_endpoint: str | None = None


def plan_cloud(blueprint: Blueprint, request: CreateRequest, ask: CloudAsk) -> CloudStack:
    """The environment that ``request`` asks for, on AWS.

    Pure. The Stack's addresses and instance ids mean nothing: AWS gives others. Raises InputError
    for what does not fit the blueprint, or AWS.
    """
    spec = aws_section(blueprint)
    _refuse_what_is_local(request, blueprint.default_branch)
    # Addresses are AWS's, and the wait handles' URLs CloudFormation's: nothing here is a secret.
    allocation = Allocation(index=0, secret="", taken=ask.taken, agent_sha256=ask.agent_sha256)
    environment = environment_of(blueprint, request, allocation)
    selection = _on_aws(blueprint, select(blueprint, request), ask.target)
    region = ask.region or spec.region
    _refuse_partition(region)
    s3_url = ask.s3_endpoint or f"https://s3.{region}.{_url_suffix(region)}"
    place = CloudPlace(
        region=region,
        s3_url=s3_url,
        bucket=spec.bucket,
        buckets=_buckets(blueprint, spec, selection),
        domain=domain_of(blueprint, environment),
        public_zone=spec.public_zone.id if spec.public_zone else None,
        moving=frozenset(_moving(blueprint, selection)),
        data_volumes=ask.target is Target.VPC,
        timeouts_s={name: spec.aws.timeout_s for name, spec in blueprint.machines.items()},
        route53_url=ask.route53_endpoint or _route53_url(region),
    )
    stack, _ = resolve(
        blueprint, request, allocation, environment=environment, selection=selection, place=place
    )
    zone = spec.public_zone
    return CloudStack(
        name=stack_name(environment),
        stack=stack,
        region=region,
        vpc=spec.vpc,
        subnets=spec.subnets,
        public_addresses=spec.public_addresses,
        private_zone=spec.private_zone,
        public_zone=Zone(id=zone.id, name=zone.name) if zone else None,
        key_name=spec.key_name,
        existing_groups=tuple(_existing_groups(blueprint, stack)),
        permissions_boundary=spec.permissions_boundary,
        bucket=spec.bucket,
        buckets=tuple(sorted(place.buckets.items())),
        s3_url=s3_url,
        agent_sha256=ask.agent_sha256,
        owner=ask.owner,
        expires_at=_expiry(spec, stack, request, ask.now),
        machines=tuple(
            _machine(blueprint, stack, machine, place, ask.agent_sha256)
            for machine in stack.machines
        ),
    )


def stack_name(environment: EnvironmentName) -> str:
    """The CloudFormation stack's name: letters, digits and dashes, at most 75."""
    return f"{STACK_NAME_PREFIX}{environment.stack}-{environment.slug}"


def architecture_of(instance_type: str) -> str:
    """``arm64`` or ``amd64``, as Debian calls them."""
    return "arm64" if instance_type.partition(".")[0] in _ARM_FAMILIES else "amd64"


def aws_section(blueprint: Blueprint) -> AwsSpec:
    """Where the stack stands on AWS; raises InputError E_AWS_SECTION if the file does not say."""
    if blueprint.aws is None:
        raise InputError(
            "E_AWS_SECTION",
            f"the blueprint of {blueprint.stack} does not say where it stands on AWS",
            hint="give it a section 'aws' with region and bucket (docs/aws.md)",
        )
    return blueprint.aws


def _refuse_what_is_local(request: CreateRequest, default_branch: str) -> None:
    if request.mounts:
        name, path = request.mounts[0]
        raise InputError(
            "E_MOUNT",
            f"--mount {name}={path}: a folder of this host cannot be mounted on AWS",
            hint=f"push it instead: greenroom artifact push {name} {path} --provider aws "
            f"--branch {shlex.quote(request.branch or default_branch)}",
        )
    if request.shared:
        raise InputError(
            "E_AWS_SHARED",
            f"--shared {' '.join(request.shared)}: shared environments are local only so far",
            hint="leave --shared out, or leave out --provider aws",
        )


def _on_aws(blueprint: Blueprint, selection: Selection, target: Target) -> Selection:
    """Without a snapshot to start from, what would be a clone here is restored by the agent."""
    restores = {
        name: _restore(blueprint.machines[name], choice, target)
        for name, choice in selection.restores.items()
    }
    return Selection(counts=selection.counts, restores=restores, mounts=selection.mounts)


def _restore(spec: MachineTypeSpec, choice: RestoreChoice, target: Target) -> RestoreChoice:
    has_snapshot = target is Target.VPC and choice.source in spec.aws.snapshots
    if choice.mode is RestoreMode.CLONE and not has_snapshot:
        return RestoreChoice(mode=RestoreMode.COLD, source=choice.source)
    return choice


def _moving(blueprint: Blueprint, selection: Selection) -> Iterator[str]:
    for name, count in selection.counts.items():
        spec = blueprint.machines[name]
        if spec.aws.auto_scaling:
            yield from (f"{name}{number}" for number in range(1, count + 1))


def _buckets(blueprint: Blueprint, spec: AwsSpec, selection: Selection) -> dict[str, str]:
    """S3's names of the buckets that these machines use."""
    used: dict[str, str] = {}
    for name in selection.counts:
        machine = blueprint.machines[name]
        choice = selection.restores.get(name)
        named = [machine.deploy.bucket] if machine.deploy else []
        if machine.provision and machine.provision.puppet:
            named.append(machine.provision.puppet.bucket)
        if machine.data and choice and choice.source:
            named.append(machine.data.restore[choice.source].bucket)
        for bucket in named:
            used[bucket] = s3_name(spec, bucket, name)
    return used


def s3_name(spec: AwsSpec, bucket: str, machine_type: str) -> str:
    """What S3 calls the blueprint's ``bucket``, which ``machine_type`` reads; raises InputError."""
    if bucket not in spec.buckets:
        raise InputError(
            "E_AWS_BUCKET",
            f"the machine type {machine_type!r} reads the bucket {bucket!r}, "
            "of which the blueprint does not say what it is called in S3",
            hint=f"add it: aws.buckets.{bucket}",
        )
    return spec.buckets[bucket]


def _existing_groups(blueprint: Blueprint, stack: Stack) -> Iterator[ExistingGroup]:
    for group in stack.groups:
        spec = blueprint.groups.get(group.name)
        if spec is not None and spec.existing is not None:
            yield ExistingGroup(name=group.name, ref=spec.existing)


def _expiry(spec: AwsSpec, stack: Stack, request: CreateRequest, now: datetime) -> datetime | None:
    """A TTL that was asked for, else the one that the file gives for AWS, else that for all."""
    if stack.production:
        return None
    written = "ttl_h" in spec.model_fields_set and request.ttl_s is None
    end = end_of(stack.lifetime, now)
    if end is not None and not written:
        return end
    return None if spec.ttl_h is None else now + timedelta(hours=spec.ttl_h)


def _machine(
    blueprint: Blueprint, stack: Stack, machine: Machine, place: CloudPlace, agent_sha256: str
) -> CloudMachine:
    spec = blueprint.machines[machine.type]
    profile = blueprint.instance_profiles.get(spec.instance_profile or "")
    return CloudMachine(
        name=machine.name,
        ami=_ami(blueprint, machine),
        timeout_s=spec.aws.timeout_s,
        auto_scaling=spec.aws.auto_scaling,
        root_gib=spec.aws.root_gib,
        volume=(
            _volume(spec, machine, production=stack.production) if place.data_volumes else None
        ),
        reads=tuple(_reads(stack, machine, place, agent_sha256)),
        role=profile.role if profile else None,
        own_tags=tuple(sorted(spec.machine_tags.items())),
        repeated_tags=spec.aws.repeated_tags,
    )


def _ami(blueprint: Blueprint, machine: Machine) -> Ami:
    image = blueprint.images[machine.image]
    if image.ami is not None:
        is_id = image.ami.startswith("ami-")
        return Ami(id=image.ami) if is_id else Ami(parameter=image.ami)
    release = _DEBIAN_RELEASES.get(image.suite)
    if release is None:
        raise InputError(
            "E_AWS_AMI",
            f"there is no known AMI for the suite {image.suite!r} of image {machine.image!r}",
            hint=f"name one in images.{machine.image}.ami",
        )
    architecture = architecture_of(machine.instance_type)
    return Ami(parameter=f"/aws/service/debian/release/{release}/latest/{architecture}")


def _volume(spec: MachineTypeSpec, machine: Machine, *, production: bool) -> DataVolume | None:
    volume = machine.volume
    if volume is None:
        return None
    snapshot = None
    if volume.mode is RestoreMode.CLONE and volume.source is not None:
        snapshot = spec.aws.snapshots[volume.source]
    return DataVolume(
        size_gib=spec.aws.data_gib,
        snapshot=snapshot,
        initialization_mibps=spec.aws.initialization_mibps if snapshot else None,
        retain=production,
    )


def _reads(
    stack: Stack, machine: Machine, place: CloudPlace, agent_sha256: str
) -> Iterator[ObjectPrefix]:
    """The agent, the image's recipe, and the machine's own code and extract; nothing else."""
    recipe = recipe_key(sha256_of(recipe_bytes(stack.image_of(machine))))
    yield ObjectPrefix(bucket=place.bucket, prefix=agent_key(agent_sha256))
    yield ObjectPrefix(bucket=place.bucket, prefix=recipe)
    if machine.deploy is not None:
        for key in machine.deploy.keys:
            for name in (key, f"{key}.sha256"):
                yield ObjectPrefix(bucket=place.buckets[machine.deploy.bucket], prefix=name)
    puppet = machine.provision.puppet if machine.provision else None
    if puppet is not None:
        for name in (puppet.key, f"{puppet.key}.sha256"):
            yield ObjectPrefix(bucket=place.buckets[puppet.bucket], prefix=name)
    volume = machine.volume
    if volume is not None and volume.bucket is not None and volume.manifest_key is not None:
        folder, slash, _ = volume.manifest_key.rpartition("/")
        yield ObjectPrefix(bucket=place.buckets[volume.bucket], prefix=folder + slash)


def _route53_url(region: str) -> str:
    """Route53 has one address in each partition."""
    part = "us-gov." if region.startswith("us-gov-") else ""
    return f"https://route53.{part}{_url_suffix(region)}"


def _refuse_partition(region: str) -> None:
    """Isolated regions and the European Sovereign Cloud have names and addresses of their own."""
    if re.match(r"eusc-|[a-z]+-iso[a-z]?-", region):
        raise InputError(
            "E_AWS_REGION",
            f"the region {region!r} is in a partition of AWS that greenroom does not know",
            hint="it knows aws, aws-cn and aws-us-gov: regions such as eu-west-1",
        )


def _url_suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
