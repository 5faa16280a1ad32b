"""Boots what the account launches: each instance's user data, to the byte, in a real machine.

Nothing of the blueprint is looked at, but for the images that stand for AMIs, which the user data
names by their digests.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from greenroom.blueprint.instance_types import INSTANCE_TYPES
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Image, Machine, RestoreMode, Stack, Volume
from greenroom.plan.addresses import machine_uid_base
from tests.cloud.fake.kinds import Launch
from tests.cloud.fake.records import ACCOUNT_ID
from tests.scenario.rehearsal.ground import SUBNET, Ground
from tests.scenario.rehearsal.metadata import Instance
from tests.scenario.rehearsal.resolved import Made, addresses_by_name, groups_of, policies_of
from tests.scenario.rehearsal.signatures import Caller

ResourcesOf = Callable[[str], Iterable[Made]]
"""What there is now of the stack with this id."""

Written = Callable[[Iterable[str]], Mapping[str, set[str]]]
"""The addresses by name that machines wrote into hosted zones (ids) themselves."""

_LOOK_EVERY_S = 0.1
_ROOT_DEVICE = "/dev/xvda"
"""Of Debian's AMIs."""


@dataclass(slots=True)
class _Standing:
    """An environment as it stands: its instances and the machines that they are. ``known`` are
    the physical ids of all that its stack ever had."""

    environment: EnvironmentName
    resources: tuple[Made, ...] = ()
    known: set[str] = field(default_factory=set)
    machines: dict[str, Machine] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    written: Mapping[str, set[str]] = field(default_factory=dict)

    def stack(self) -> Stack:
        """The local provider's view of it."""
        names = addresses_by_name(self.resources)
        for name, addresses in self.written.items():
            names[name] = names.get(name, set()) | addresses
        machines = tuple(
            replace(m, dns_names=(m.private_dns, *_names_of(str(m.address), names)))
            for m in self.machines.values()
        )
        return Stack(
            environment=self.environment,
            branch="",
            default_branch="",
            production=False,
            # EC2's resolver completes short names by its own domain, not by ours.
            domain="eu-west-1.compute.internal",
            subnet=IPv4Network(SUBNET),
            groups=groups_of(self.resources),
            images=tuple({image.digest: image for image in self.images.values()}.values()),
            machines=machines,
            drills=(),
            buckets=(),
            blueprint_path=Path("/nowhere"),
        )


class Instances:
    """The instances of the account. Thread-safe: instances of a stack are launched at once."""

    def __init__(
        self, images: Iterable[Image], resources_of: ResourcesOf, written: Written
    ) -> None:
        self.ground: Ground | None = None
        self._images = {image.digest: image for image in images}
        self._resources_of = resources_of
        self._written = written
        self._lock = threading.RLock()
        self._images_lock = threading.Lock()
        self._standing: dict[str, _Standing] = {}
        self._instances: dict[str, Instance] = {}
        self._callers: dict[str, Caller] = {}
        self._launched = 0
        self.stillborn: set[str] = set()
        """Machines that EC2 launches and that never come up."""
        self.profile_delay_s = 0.0
        """How long a new instance's metadata does not know its profile yet, as on EC2."""

    def launch(self, launch: Launch) -> None:
        """Boot it: what the account's launch hook calls."""
        with self._lock:
            standing = self._standing_of(launch)
            standing.resources = tuple(self._resources_of(launch.stack_id))
            instance = self._instance(launch, standing.resources)
            boot = boot_json(launch.user_data)
            image = self._images[boot["aws"]["image"]["digest"]]
            name = launch.tags["greenroom:machine"]
            machine = _machine(instance, name, image, boot, _has_data_disk(launch), self._launched)
            self._launched += 1
            standing.machines[name], standing.images[name] = machine, image
            self._instances[instance.address] = instance
            stack = standing.stack()
        if name not in self.stillborn:
            with self._images_lock:
                self._ground.prepare(image)
            self._ground.attach(stack, machine)
            with self._lock:
                # As it stands by now: others of it were launched meanwhile, and admitted.
                self._ground.admit(standing.stack())
            self._ground.start(stack, machine)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Let the region follow the account until the block ends: rules and records may come
        after an instance, and what CloudFormation terminates is gone."""
        over = threading.Event()

        def follow() -> None:
            while not over.wait(_LOOK_EVERY_S):
                self._follow_all()

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._follow_all()

    def _follow_all(self) -> None:
        with self._lock:
            for stack_id, standing in list(self._standing.items()):
                self._follow(standing, tuple(self._resources_of(stack_id)))
                if not standing.machines and not standing.stack().groups:
                    self._ground.clear(standing.environment)
                    del self._standing[stack_id]

    def _follow(self, standing: _Standing, resources: tuple[Made, ...]) -> None:
        zones = [m.physical_id for m in resources if m.type == "AWS::Route53::HostedZone"]
        written = self._written(zones)
        if (resources, written) == (standing.resources, standing.written):
            return
        standing.resources, standing.written = resources, written
        there = {made.physical_id for made in resources}
        standing.known |= there
        before = standing.stack()
        for name, machine in list(standing.machines.items()):
            if not there or machine.instance_id in standing.known - there:
                self._ground.terminate(before, machine)
                del standing.machines[name], self._instances[str(machine.address)]
        if standing.machines:
            self._ground.admit(standing.stack())

    @property
    def _ground(self) -> Ground:
        assert self.ground is not None, "the region is not open"
        return self.ground

    def standing(self) -> set[EnvironmentName]:
        """The environments of which something is there."""
        with self._lock:
            return {standing.environment for standing in self._standing.values()}

    def stack(self, stack_id: str) -> Stack:
        """What stands of a CloudFormation stack; raises KeyError."""
        with self._lock:
            return self._standing[stack_id].stack()

    def at(self, address: str) -> Instance | None:
        """The instance with that address."""
        with self._lock:
            return self._instances.get(address)

    def caller_with(self, access_key: str) -> Caller | None:
        """The session that metadata gave these keys to."""
        with self._lock:
            return self._callers.get(access_key)

    def _standing_of(self, launch: Launch) -> _Standing:
        stack, slug = launch.tags["greenroom:environment"].split("/")
        made = _Standing(environment=EnvironmentName(stack, slug))
        return self._standing.setdefault(launch.stack_id, made)

    def _instance(self, launch: Launch, resources: Iterable[Made]) -> Instance:
        options = launch.metadata
        caller = None if launch.profile is None else self._session(launch, resources)
        tags = {key: value for key, value in launch.tags.items() if not key.startswith("aws:")}
        now = datetime.now(UTC)
        return Instance(
            id=launch.instance_id,
            region=launch.region,
            account=ACCOUNT_ID,
            ami=launch.image_id,
            type=launch.instance_type,
            address=launch.private_ip,
            groups=_groups(launch),
            tags=tags if options.get("InstanceMetadataTags") == "enabled" else None,
            tokens_required=options.get("HttpTokens") == "required",
            user_data=launch.user_data,
            caller=caller,
            launched_at=now,
            known_at=now + timedelta(seconds=self.profile_delay_s),
        )

    def _session(self, launch: Launch, resources: Iterable[Made]) -> Caller:
        """Credentials as STS would give them to this instance's role."""
        assert launch.profile is not None
        seed = hashlib.sha256(launch.instance_id.encode()).hexdigest()
        caller = Caller(
            name=launch.profile,
            access_key=f"ASIA{seed[:16].upper()}",
            secret=seed[16:56],
            token=f"{seed}//{seed[::-1]}==",
            policies=policies_of(resources, launch.profile),
        )
        self._callers[caller.access_key] = caller
        return caller


def boot_json(user_data: bytes) -> dict[str, Any]:
    """The boot.json that a boot script carries."""
    lines = user_data.decode("ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("boot_json="))
    document: dict[str, Any] = json.loads(shlex.split(line)[0].removeprefix("boot_json="))
    return document


def _has_data_disk(launch: Launch) -> bool:
    """Whether EC2 attaches a disk beside the root one as it launches."""
    devices = launch.properties.get("BlockDeviceMappings", [])
    return any(device["DeviceName"] != _ROOT_DEVICE for device in devices)


def _machine(
    instance: Instance,
    name: str,
    image: Image,
    boot: Mapping[str, Any],
    has_data_disk: bool,
    position: int,
) -> Machine:
    """The local machine that an instance becomes."""
    return Machine(
        name=name,
        type=name.rstrip("0123456789"),
        role="",
        instance_id=instance.id,
        image=image.name,
        instance_type=instance.type,
        memory_mib=INSTANCE_TYPES[instance.type].memory_mib,
        pids=1024,
        address=IPv4Address(instance.address),
        uid_base=machine_uid_base(0, position),
        groups=instance.groups,
        tags=(),
        private_dns=instance.hostname,
        dns_names=(),
        needs=(),
        checks=(),
        instance_profile=instance.caller.name if instance.caller else None,
        readable_buckets=(),
        deadline_s=boot["deadline_s"],
        signal_token="",
        user_data=instance.user_data.decode("ascii"),
        volume=_volume(boot["restore"]) if has_data_disk else None,
    )


def _volume(restore: Mapping[str, Any] | None) -> Volume | None:
    """The mounted data volume; what is in it is the agent's to make."""
    if restore is None:
        return None
    return Volume(
        data_name="",
        engine=restore["engine"],
        database=restore["database"],
        user=restore["user"],
        directory=restore["directory"],
        service=restore["service"],
        mode=RestoreMode(restore["mode"]),
        source=restore["source"],
    )


def _names_of(address: str, names: Mapping[str, set[str]]) -> tuple[str, ...]:
    return tuple(sorted(name for name, addresses in names.items() if address in addresses))


def _groups(launch: Launch) -> tuple[str, ...]:
    interfaces = launch.properties.get("NetworkInterfaces", [])
    of_interfaces = [group for one in interfaces for group in one.get("Groups", [])]
    return tuple(launch.properties.get("SecurityGroupIds", of_interfaces) or of_interfaces)
