"""Where a region keeps its things on this host, and which addresses it uses.

A host may hold several regions side by side (``GREENROOM_REGION``): the tests use one of their
own, so that they never meet the user's. Everything of a region bears its name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from greenroom.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")
DEFAULT_CIDR = "10.213.0.0/16"
DEFAULT_PROXY_PORT = 8080
_WEB_BESIDE_PROXY = 10
"""How far the port of API and page lies from the proxy's, unless GREENROOM_WEB_PORT names one."""


def _is_private(cidr: str) -> bool:
    """Whether it is a /16 of RFC 1918. By hand: `ipaddress` would cost every command 5 ms."""
    match = re.fullmatch(r"([0-9]{1,3})\.([0-9]{1,3})\.0\.0/16", cidr)
    if match is None:
        return False
    first, second = int(match[1]), int(match[2])
    ranges = {10: range(256), 172: range(16, 32), 192: range(168, 169)}
    return second in ranges.get(first, ())


def _port_of(variable: str, default: int) -> int:
    port = os.environ.get(variable, str(default))
    if not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise UsageError(
            "E_REGION_PORT",
            f"{variable} is {port!r}: expected 1 to 65535",
            hint=f"unset {variable} for port {default}",
        )
    return int(port)


class Region(NamedTuple):
    """The names, folders and addresses of one region (not a dataclass: see ``Fault``).

    ``cidr`` is a /16 in dotted form: the n-th environment has its n-th /24, and the last /24 is
    the link to the host. Environments answer on ``proxy_port``, API and page on ``web_port``.
    """

    label: str
    cidr: str = DEFAULT_CIDR
    proxy_port: int = DEFAULT_PROXY_PORT
    web_port: int = DEFAULT_PROXY_PORT + _WEB_BESIDE_PROXY

    @classmethod
    def from_environment(cls) -> Region:
        """Read GREENROOM_REGION, GREENROOM_CIDR, GREENROOM_PORT and GREENROOM_WEB_PORT; raises
        UsageError."""
        label = os.environ.get("GREENROOM_REGION", "")
        if label and not _NAME.fullmatch(label):
            raise UsageError(
                "E_REGION_NAME",
                f"GREENROOM_REGION is {label!r}: expected at most 8 of a-z and 0-9, letter first",
                hint="unset GREENROOM_REGION for the region that has no name",
            )
        cidr = os.environ.get("GREENROOM_CIDR", DEFAULT_CIDR)
        if not _is_private(cidr):
            raise UsageError(
                "E_REGION_CIDR",
                f"GREENROOM_CIDR is {cidr!r}: expected a private /16 such as {DEFAULT_CIDR}",
                hint=f"unset GREENROOM_CIDR for {DEFAULT_CIDR}",
            )
        port = _port_of("GREENROOM_PORT", DEFAULT_PROXY_PORT)
        web_port = _port_of("GREENROOM_WEB_PORT", port + _WEB_BESIDE_PROXY)
        if port == web_port:
            raise UsageError(
                "E_REGION_PORT",
                f"GREENROOM_PORT and GREENROOM_WEB_PORT are both {port}",
                hint="give one of them another port",
            )
        return cls(label=label, cidr=cidr, proxy_port=port, web_port=web_port)

    @property
    def name(self) -> str:
        """``greenroom``, or ``greenroom-NAME``."""
        return f"greenroom-{self.label}" if self.label else "greenroom"

    @property
    def state_dir(self) -> Path:
        """What survives a reboot: ledger, pool, buckets."""
        return Path("/var/lib") / self.name

    @property
    def ledger_dir(self) -> Path:
        """The daemon's databases: they hold secrets, so the folder is root's alone."""
        return self.state_dir / "ledger"

    @property
    def run_dir(self) -> Path:
        """What a reboot ends: sockets, bundles, DNS files."""
        return Path("/run") / self.name

    @property
    def socket_path(self) -> Path:
        """The daemon's API."""
        return self.run_dir / "daemon.sock"

    @property
    def ssh_dir(self) -> Path:
        """The keys that ssh gets into machines with, until the next reboot; root's alone."""
        return self.run_dir / "ssh"

    @property
    def log_path(self) -> Path:
        """The daemon's log."""
        return self.state_dir / "daemon.log"
