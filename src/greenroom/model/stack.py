"""The Stack: every machine, group, rule, name, volume and check of one environment, resolved.

``greenroom.plan`` makes it; everything else renders or applies it. It serialises to JSON (the
ledger keeps it), so that destroy, flows and a restart need nothing but the Stack itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from greenroom.model.lifetimes import Lifetime
from greenroom.model.names import SHARED_SLUG, EnvironmentName


class Protocol(StrEnum):
    """A transport protocol of an ingress rule."""

    TCP = "tcp"
    UDP = "udp"


class RestoreMode(StrEnum):
    """How a data volume gets its content."""

    CLONE = "clone"
    """A copy-on-write clone of the golden volume, which is made first when there is none."""
    COLD = "cold"
    """The machine restores the artefact itself, in front of everybody's eyes."""
    EMPTY = "empty"
    """A fresh database without data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """First and last port, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressRule:
    """Who may reach the members of a group, on which ports.

    Exactly one of ``group`` and ``network`` is set. ``everywhere`` widens ``group`` from the
    members in this environment to those in every environment of the stack; only flows from and
    to shared machines have it. A ``network`` never admits a machine of another environment.
    """

    protocol: Protocol
    ports: PortRange
    group: str | None = None
    network: IPv4Network | None = None
    everywhere: bool = False

    @property
    def source(self) -> str:
        """The source as a person reads it: a group's name, ``anywhere`` or a CIDR."""
        if self.group is not None:
            return f"{self.group} of every environment" if self.everywhere else self.group
        return "anywhere" if self.network == IPv4Network("0.0.0.0/0") else str(self.network)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A named interface, and through its tags the role of its members."""

    name: str
    description: str
    ingress: tuple[IngressRule, ...]
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A supervised process of an image: ``command`` is the run script's body (a shell line)."""

    name: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A file that the recipe puts into the image; ``content`` is text, ``path`` absolute."""

    path: str
    content: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image recipe. ``digest`` (hex) is the hash of everything that decides its content."""

    name: str
    digest: str
    suite: str
    packages: tuple[str, ...]
    files: tuple[ImageFile, ...]
    commands: tuple[str, ...]
    services: tuple[Service, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """GET ``path`` on the machine's own ``port`` answers ``status`` and holds ``contains``."""

    path: str
    port: int
    status: int
    contains: str
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCheck:
    """The machine's own ``port`` accepts a connection."""

    port: int
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCheck:
    """``argv`` run in the machine exits with 0."""

    argv: tuple[str, ...]
    deadline_s: float


Check = HttpCheck | TcpCheck | CommandCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The name under which a machine type is reached from outside. ``public_host`` is its name in
    a public zone on AWS, if the blueprint has one."""

    name: str
    port: int
    internal_host: str
    local_host: str
    public_host: str | None = None

    @property
    def url(self) -> str:
        """Where it answers on AWS: by its public name, if there is one."""
        port = "" if self.port == 80 else f":{self.port}"
        return f"http://{self.public_host or self.internal_host}{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFolder:
    """A folder of the code that outlives its releases. ``path`` is relative to the release,
    ``owner`` a user of the image."""

    path: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """Where a machine's code comes from. ``keys`` are tried in order: own branch, then default."""

    bucket: str
    keys: tuple[str, ...]
    directory: str
    restart: tuple[str, ...]
    keep: tuple[KeptFolder, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Puppet:
    """The manifests that a machine applies: the archive ``key``, which is that of the branch
    ``version``, and in it the file ``manifest``."""

    bucket: str
    key: str
    version: str
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What configures a machine at its first boot: shell lines, or Puppet, which then also brings
    the machine's code (``deploy_codebase``)."""

    commands: tuple[str, ...] = ()
    puppet: Puppet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Whose comings and goings a machine is told of, by role, and the program in it that hears
    of them."""

    roles: tuple[str, ...]
    hook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A data volume: what is in it, and how it gets there.

    ``source`` names the restore source (``extract``); it and ``manifest_key`` are None for an
    empty volume. ``bucket`` holds the manifest and the files that it names.
    """

    data_name: str
    engine: str
    database: str
    user: str
    directory: str
    service: str
    mode: RestoreMode
    source: str | None = None
    bucket: str | None = None
    manifest_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine, fully resolved.

    ``uid_base`` is the first host uid of its user namespace, which spans 65,536 ids.
    ``tags`` are effective: those of its groups, overridden by its own, sorted by key.
    ``readable_buckets`` is what its instance profile lets it read. ``mount`` (developer mode) is
    the host directory that stands in for its deployed code. ``signal_token`` is the unguessable
    part of its wait handle's URL.
    """

    name: str
    type: str
    role: str
    instance_id: str
    image: str
    instance_type: str
    memory_mib: int
    pids: int
    address: IPv4Address
    uid_base: int
    groups: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    private_dns: str
    dns_names: tuple[str, ...]
    needs: tuple[str, ...]
    checks: tuple[Check, ...]
    instance_profile: str | None
    readable_buckets: tuple[str, ...]
    deadline_s: float
    signal_token: str
    user_data: str
    endpoint: Endpoint | None = None
    deploy: Deploy | None = None
    volume: Volume | None = None
    mount: Path | None = None
    subscription: Subscription | None = None
    provision: Provision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A local bucket: a host directory whose files machines may fetch over HTTP."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One environment, whole. ``subnet`` is its own; ``domain`` ends every name in it.

    ``shared``: its machines serve all environments of the stack, and it belongs to no branch;
    ``branch`` is then the default one.

    ``drills`` holds, for every volume that is a clone or empty, the machine that makes its golden
    volume when there is none yet: it boots, restores cold, verifies, signals and is thrown away.

    ``lifetime`` None: it never expires and always runs, as production and shared environments do.
    """

    environment: EnvironmentName
    branch: str
    default_branch: str
    production: bool
    domain: str
    subnet: IPv4Network
    groups: tuple[SecurityGroup, ...]
    images: tuple[Image, ...]
    machines: tuple[Machine, ...]
    drills: tuple[Machine, ...]
    buckets: tuple[Bucket, ...]
    blueprint_path: Path
    shared: bool = False
    lifetime: Lifetime | None = None

    @property
    def shared_domain(self) -> str:
        """What ends the names of the stack's shared machines, whether there are any or not."""
        return f"{SHARED_SLUG}.{self.domain.removeprefix(f'{self.environment.slug}.')}"

    def machine(self, name: str) -> Machine:
        """The machine called ``name``; raises KeyError."""
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise KeyError(name)

    def image_of(self, machine: Machine) -> Image:
        """The image that ``machine`` boots."""
        return next(image for image in self.images if image.name == machine.image)
