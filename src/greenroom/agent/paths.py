"""Where the agent's files are. Tests put everything below another root."""

from __future__ import annotations

import os

from .value import Value

ROOT_VARIABLE = "GREENROOM_AGENT_ROOT"
METADATA_VARIABLE = "GREENROOM_AGENT_METADATA"


class Paths(Value):
    """Every path of the machine that the agent reads or writes, below ``root``."""

    root: str = ""
    metadata_url: str = "http://169.254.169.254"

    def at(self, path: str) -> str:
        """``path``, absolute in the machine, as this process must open it."""
        return self.root + path

    @property
    def boot(self) -> str:
        """What this machine shall become; the user data has written it."""
        return self.at("/etc/greenroom/boot.json")

    @property
    def facts(self) -> str:
        """What metadata said at boot, for programs."""
        return self.at("/etc/greenroom/facts.json")

    @property
    def instance_data(self) -> str:
        """What cloud-init asked of metadata, before it ran the user data."""
        return self.at("/run/cloud-init/instance-data.json")

    @property
    def environment(self) -> str:
        """The same as shell assignments."""
        return self.at("/etc/greenroom/environment")

    @property
    def services(self) -> str:
        """The scan directory of s6; its absence means systemd."""
        return self.at("/etc/greenroom/service")

    @property
    def phase(self) -> str:
        """One line: what the agent is doing now. A missed deadline is explained with it."""
        return self.at("/var/log/greenroom/phase")

    def log(self, service: str) -> str:
        """The current log file of a service under s6."""
        return self.at(f"/var/log/greenroom/{service}/current")


def paths_from_environment() -> Paths:
    """The machine's own paths, unless the two variables say otherwise."""
    url = os.environ.get(METADATA_VARIABLE, "") or Paths.metadata_url
    return Paths(root=os.environ.get(ROOT_VARIABLE, "").rstrip("/"), metadata_url=url.rstrip("/"))
