"""The machines of an environment, and the drills that make their golden volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from greenroom.blueprint.instance_types import INSTANCE_TYPES
from greenroom.blueprint.schema import (
    Blueprint,
    CheckSpec,
    DeploySpec,
    MachineTypeSpec,
    ProvisionSpec,
)
from greenroom.errors import InputError
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import (
    Check,
    CommandCheck,
    Deploy,
    Endpoint,
    HttpCheck,
    KeptFolder,
    Machine,
    Provision,
    Puppet,
    RestoreMode,
    SecurityGroup,
    Subscription,
    TcpCheck,
    Volume,
)
from greenroom.plan import addresses
from greenroom.plan.allocation import Allocation
from greenroom.plan.artifacts import artifact_key
from greenroom.plan.images import image_of
from greenroom.plan.place import NamesAsked, Place
from greenroom.plan.selection import RestoreChoice, Selection
from greenroom.plan.tags import ROLE_TAG, effective_tags
from greenroom.plan.user_data import USER_DATA_BYTES_MAX, BootConfig, render_user_data

PUPPET_BRANCH_TAG = "puppetbranch"
"""The tag that chooses the version of Puppet's manifests."""
PIDS_DEFAULT = 1024
HTTP_PORT = 80
HTTP_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all machines of one environment have in common."""

    blueprint: Blueprint
    selection: Selection
    allocation: Allocation
    environment: EnvironmentName
    branch: str
    domain: str
    groups: Mapping[str, SecurityGroup]
    place: Place


def machines_of(site: Site) -> tuple[Machine, ...]:
    """All machines, in the blueprint's order of types, then by number."""
    machines: list[Machine] = []
    for machine_type, count in site.selection.counts.items():
        for number in range(1, count + 1):
            machines.append(_machine(site, machine_type, number, len(machines)))
    return tuple(machines)


def drills_of(site: Site, machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """One drill for every machine type whose volume is a clone or empty."""
    drills: list[Machine] = []
    for machine in machines:
        if machine.volume is None or machine.volume.mode is RestoreMode.COLD:
            continue
        if any(drill.type == machine.type for drill in drills):
            continue
        drills.append(_drill(site, machine, machine.volume, len(drills)))
    return tuple(drills)


def _machine(site: Site, machine_type: str, number: int, position: int) -> Machine:
    spec = site.blueprint.machines[machine_type]
    name = f"{machine_type}{number}"
    groups = (machine_type, *spec.groups)
    tags = effective_tags(machine_type, [site.groups[g] for g in groups], spec.machine_tags)
    endpoint = _endpoint(site, spec) if number == 1 else None
    volume = _volume(machine_type, spec, site.selection.restores.get(machine_type))
    allocation = site.allocation
    machine = Machine(
        name=name,
        type=machine_type,
        role=dict(tags)[ROLE_TAG],
        instance_id=addresses.instance_id(allocation.secret, site.environment, name),
        image=spec.image,
        instance_type=spec.instance_type,
        memory_mib=spec.memory_mib or INSTANCE_TYPES[spec.instance_type].memory_mib,
        pids=spec.pids or PIDS_DEFAULT,
        address=addresses.machine_address(allocation.subnet, position),
        uid_base=addresses.machine_uid_base(allocation.index, position),
        groups=groups,
        tags=tags,
        private_dns=f"{name}.{site.domain}",
        dns_names=_dns_names(site, name, machine_type, endpoint),
        needs=_machines_needed(site, spec),
        checks=tuple(_check(check) for check in spec.check),
        instance_profile=spec.instance_profile,
        readable_buckets=_readable_buckets(site.blueprint, machine_type, spec, volume),
        deadline_s=spec.deadline_s,
        signal_token=addresses.signal_token(allocation.secret, site.environment, name),
        user_data="",
        endpoint=endpoint,
        deploy=_deploy(site, spec.deploy),
        volume=volume,
        mount=site.selection.mounts.get(machine_type),
        provision=_provision(site.blueprint, spec.provision, dict(tags)),
        subscription=_subscription(spec),
    )
    services = tuple(site.blueprint.images[spec.image].services)
    return replace(machine, user_data=_user_data(site, machine, services, drill=False))


def _drill(site: Site, machine: Machine, volume: Volume, position: int) -> Machine:
    """The machine that makes the golden volume of ``machine``; nobody can reach it."""
    name = f"{machine.type}-drill"
    mode = RestoreMode.EMPTY if volume.mode is RestoreMode.EMPTY else RestoreMode.COLD
    allocation = site.allocation
    drill = replace(
        machine,
        name=name,
        instance_id=addresses.instance_id(allocation.secret, site.environment, name),
        address=addresses.drill_address(allocation.subnet, position),
        uid_base=addresses.drill_uid_base(allocation.index, position),
        groups=(),
        private_dns=f"{name}.{site.domain}",
        dns_names=(),
        needs=(),
        checks=(),
        readable_buckets=tuple(b for b in machine.readable_buckets if b == volume.bucket),
        signal_token=addresses.signal_token(allocation.secret, site.environment, name),
        endpoint=None,
        deploy=None,
        volume=replace(volume, mode=mode),
        mount=None,
        subscription=None,
        provision=None,
    )
    return replace(drill, user_data=_user_data(site, drill, (), drill=True))


def _dns_names(
    site: Site, name: str, machine_type: str, endpoint: Endpoint | None
) -> tuple[str, ...]:
    """The machine's own name, its type's, which all its machines share, and the endpoint's."""
    names = [f"{name}.{site.domain}", f"{machine_type}.{site.domain}"]
    if endpoint is not None:
        names.append(endpoint.internal_host)
    return tuple(dict.fromkeys(names))


def _endpoint(site: Site, spec: MachineTypeSpec) -> Endpoint | None:
    if spec.endpoint is None:
        return None
    name = spec.endpoint.name
    return Endpoint(
        name=name,
        port=spec.endpoint.port,
        internal_host=f"{name}.{site.domain}",
        local_host=f"{name}.{site.environment.slug}.{site.environment.stack}.localhost",
        public_host=_public_host(site, name),
    )


def _public_host(site: Site, name: str) -> str | None:
    """The endpoint's name in the public zone on AWS, where the blueprint gives one."""
    aws = site.blueprint.aws
    if aws is None or aws.public_zone is None:
        return None
    return f"{name}.{site.environment.slug}.{aws.public_zone.name}"


def _machines_needed(site: Site, spec: MachineTypeSpec) -> tuple[str, ...]:
    """The names of all machines of the types that are needed (shared ones are not in here)."""
    return tuple(
        f"{need}{number}"
        for need in spec.needs
        for number in range(1, site.selection.counts.get(need, 0) + 1)
    )


def _check(check: CheckSpec) -> Check:
    if check.http is not None:
        return HttpCheck(
            path=check.http,
            port=check.port or HTTP_PORT,
            status=check.status or HTTP_OK,
            contains=check.contains or "",
            deadline_s=check.deadline_s,
        )
    if check.tcp is not None:
        return TcpCheck(port=check.tcp, deadline_s=check.deadline_s)
    assert check.command is not None, "the schema demands one of the three"
    return CommandCheck(argv=check.command, deadline_s=check.deadline_s)


def _subscription(spec: MachineTypeSpec) -> Subscription | None:
    if spec.subscribe is None:
        return None
    return Subscription(roles=spec.subscribe.roles, hook=spec.subscribe.hook)


def _deploy(site: Site, spec: DeploySpec | None) -> Deploy | None:
    if spec is None:
        return None
    branches = (site.branch, site.blueprint.default_branch)
    keys = dict.fromkeys(artifact_key(spec.artifact, branch) for branch in branches)
    return Deploy(
        bucket=spec.bucket,
        keys=tuple(keys),
        directory=spec.directory,
        restart=spec.restart,
        keep=tuple(KeptFolder(path=path, owner=owner) for path, owner in spec.keep.items()),
    )


def _provision(
    blueprint: Blueprint, spec: ProvisionSpec | None, tags: Mapping[str, str]
) -> Provision | None:
    if spec is None:
        return None
    if spec.puppet is None:
        return Provision(commands=spec.shell or ())
    version = tags.get(PUPPET_BRANCH_TAG, blueprint.default_branch)
    puppet = Puppet(
        bucket=spec.puppet.bucket,
        key=artifact_key(spec.puppet.artifact, version),
        version=version,
        manifest=spec.puppet.manifest,
    )
    return Provision(puppet=puppet)


def _volume(
    machine_type: str, spec: MachineTypeSpec, choice: RestoreChoice | None
) -> Volume | None:
    if spec.data is None or choice is None:
        return None
    source = spec.data.restore[choice.source] if choice.source is not None else None
    return Volume(
        data_name=machine_type,
        engine=spec.data.engine.value,
        database=spec.data.database,
        user=spec.data.user,
        directory=spec.data.directory,
        service=spec.data.service,
        mode=choice.mode,
        source=choice.source,
        bucket=source.bucket if source else None,
        manifest_key=source.manifest if source else None,
    )


def _readable_buckets(
    blueprint: Blueprint, machine_type: str, spec: MachineTypeSpec, volume: Volume | None
) -> tuple[str, ...]:
    """What the instance profile lists; without a list, what deploy and restore need."""
    puppet = spec.provision.puppet if spec.provision else None
    parts = (puppet, spec.deploy, volume)
    needed = [part.bucket for part in parts if part is not None and part.bucket]
    profile = blueprint.instance_profiles[spec.instance_profile] if spec.instance_profile else None
    if profile is None or profile.read is None:
        return tuple(dict.fromkeys(needed))
    if volume is not None and volume.bucket and volume.bucket not in profile.read:
        raise InputError(
            "E_RESTORE_SOURCE",
            f"{machine_type} may not read the bucket {volume.bucket!r} of its restore source "
            f"{volume.source!r}: the instance profile {spec.instance_profile!r} does not list it",
            hint=f"add {volume.bucket} to the profile's read list, or restore something else",
        )
    return profile.read


def _user_data(site: Site, machine: Machine, services: tuple[str, ...], *, drill: bool) -> str:
    sha256 = site.allocation.agent_sha256
    text = render_user_data(
        BootConfig(
            machine=machine.name,
            environment=str(site.environment),
            branch=site.branch,
            signal_url=site.place.signal_url(machine.name, machine.signal_token),
            health_url=None if drill else site.place.health_url(machine.signal_token),
            bucket_urls={name: site.place.bucket_url(name) for name in _buckets_named(machine)},
            agent_url=site.place.agent_url(sha256),
            agent_sha256=sha256,
            deadline_s=site.place.deadline_s(machine),
            services=services,
            drill=drill,
            volume=machine.volume,
            deploy=machine.deploy,
            provision=machine.provision,
            mounted=machine.mount is not None,
            checks=machine.checks,
            aws=site.place.aws(
                machine.name,
                image_of(site.blueprint, machine.image),
                data=machine.volume is not None,
                names=NamesAsked(
                    private=machine.dns_names,
                    public=machine.endpoint.public_host if machine.endpoint else None,
                ),
            ),
        )
    )
    if len(text) > USER_DATA_BYTES_MAX:
        raise InputError(
            "E_USER_DATA",
            f"the user data of {machine.name} has {len(text)} bytes; "
            f"EC2 allows {USER_DATA_BYTES_MAX}",
            hint=f"shorten the checks of {machine.type}, or move their commands into the image",
        )
    return text


def _buckets_named(machine: Machine) -> set[str]:
    puppet = machine.provision.puppet if machine.provision else None
    parts = (puppet, machine.deploy, machine.volume)
    return {part.bucket for part in parts if part is not None and part.bucket}
