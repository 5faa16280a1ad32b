"""Where the local provider keeps each thing; the only module that builds these paths.

Everything of an environment lies under a path component that is its key (``photos.feature-x``),
so that what is left of it can be found by looking at the host alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenroom.model.names import EnvironmentName
from greenroom.region import Region

CONSOLE = "console.log"
NETNS_DIR = Path("/run/netns")
"""Where iproute2 looks (ip-netns(8)), so that `ip netns` shows our machines."""
IMAGE_CACHE_DIR = Path("/var/cache/greenroom/images")
"""Image archives, shared by all regions of the host."""

METADATA_ADDRESS = "169.254.169.254"
DNS_ADDRESS = "169.254.169.253"
SERVICE_ADDRESS = "169.254.169.252"
"""The bucket and the wait handles; on AWS these are S3's."""
GATEWAY_ADDRESS = "169.254.1.1"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths and kernel names of one region."""

    region: Region

    @property
    def namespace(self) -> Path:
        """The region's network namespace."""
        return NETNS_DIR / self.region.name

    @property
    def host_link(self) -> str:
        """The host's end of the veth into the region (at most 15 characters)."""
        return f"gr-{self.region.label}" if self.region.label else "greenroom0"

    @property
    def pool_file(self) -> Path:
        """The sparse XFS image, where the host's own filesystem has no reflink."""
        return self.region.state_dir / "pool.xfs"

    @property
    def pool(self) -> Path:
        """The mounted pool: images, golden volumes and machines, all on one filesystem."""
        return self.region.state_dir / "pool"

    @property
    def images(self) -> Path:
        """Unpacked images, a folder each, named by digest."""
        return self.pool / "images"

    @property
    def goldens(self) -> Path:
        """Golden volumes, a folder each, named by key."""
        return self.pool / "goldens"

    @property
    def environments(self) -> Path:
        """What machines write: overlay uppers, logs, volumes."""
        return self.pool / "environments"

    @property
    def machines_run(self) -> Path:
        """Bundles and mount points."""
        return self.region.run_dir / "machines"

    @property
    def crun_root(self) -> Path:
        """crun's own state."""
        return self.region.run_dir / "crun"

    @property
    def dns_dir(self) -> Path:
        """dnsmasq's --hostsdir: one file per environment."""
        return self.region.run_dir / "dns"

    @property
    def dns_servers(self) -> Path:
        """dnsmasq's --servers-file: which questions others answer."""
        return self.region.run_dir / "dns-servers"

    @property
    def agent_bucket(self) -> Path:
        """The bucket ``greenroom-agent``, readable by every machine."""
        return self.region.state_dir / "agent"

    def environment_dir(self, environment: EnvironmentName) -> Path:
        """All that the environment's machines write."""
        return self.environments / environment.key

    def environment_run(self, environment: EnvironmentName) -> Path:
        """The environment's bundles."""
        return self.machines_run / environment.key

    def machine(self, environment: EnvironmentName, machine: str) -> MachineLayout:
        """The paths of one machine."""
        return MachineLayout(self, environment, machine)

    def dns_file(self, environment: EnvironmentName) -> Path:
        """The environment's names."""
        return self.dns_dir / environment.key

    def namespace_prefix(self, environment: EnvironmentName) -> str:
        """What the names of the environment's network namespaces start with."""
        return f"{self.region.name}.{environment.key}."


@dataclass(frozen=True, slots=True)
class MachineLayout:
    """The paths and kernel names of one machine."""

    layout: Layout
    environment: EnvironmentName
    name: str

    @property
    def container_id(self) -> str:
        """crun's name for it."""
        return f"{self.environment.key}.{self.name}"

    @property
    def namespace(self) -> Path:
        """Its network namespace."""
        return NETNS_DIR / f"{self.layout.namespace_prefix(self.environment)}{self.name}"

    @property
    def cgroup(self) -> str:
        """Its cgroup, from the hierarchy's root."""
        return f"/{self.layout.region.name}/{self.environment.key}/{self.name}"

    @property
    def data(self) -> Path:
        """What it writes, in the pool."""
        return self.layout.environment_dir(self.environment) / self.name

    @property
    def upper(self) -> Path:
        """The overlay's upper layer."""
        return self.data / "upper"

    @property
    def work(self) -> Path:
        """The overlay's work folder."""
        return self.data / "work"

    @property
    def log(self) -> Path:
        """Its /var/log/greenroom."""
        return self.data / "log"

    @property
    def volume(self) -> Path:
        """Its data volume, if it has one."""
        return self.data / "volume"

    @property
    def kept(self) -> Path:
        """The folders of its code that outlive releases, and boots as the volume does."""
        return self.data / "kept"

    @property
    def bundle(self) -> Path:
        """The OCI bundle."""
        return self.layout.environment_run(self.environment) / self.name

    @property
    def lower(self) -> Path:
        """Where its own thread sees the idmapped image."""
        return self.bundle / "lower"

    @property
    def root(self) -> Path:
        """Where its own thread sees the root filesystem."""
        return self.bundle / "root"

    @property
    def console(self) -> Path:
        """What crun and the first process print; not among the logs that the machine can move."""
        return self.bundle / CONSOLE

    @property
    def signal(self) -> Path:
        """The signal that it sent, kept so that a restart of the daemon does not lose it."""
        return self.bundle / "signal.json"

    @property
    def stopped(self) -> Path:
        """Why greenroom stopped it, if it did: nobody may start it again in its place."""
        return self.bundle / "stopped"


def link_name(address: str) -> str:
    """The region's end of a machine's veth, from its address: ``10.213.7.10`` is ``m7-10``."""
    third, fourth = address.split(".")[2:]
    return f"m{third}-{fourth}"
