"""Whether the daemon that runs has the settings that this shell has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import cast

from greenroom.cli.client import Client
from greenroom.errors import GreenroomError
from greenroom.providers.local.doctor import Finding
from greenroom.region import Region

_CIDR = "GREENROOM_CIDR"
_SETTINGS = {
    _CIDR: "cidr",
    "GREENROOM_PORT": "proxy_port",
    "GREENROOM_WEB_PORT": "web_port",
}
"""The variable and what status and Region call it."""


def daemon_settings(region: Region) -> tuple[Finding, ...]:
    """What the daemon was started with, against what this shell sets: a daemon that runs keeps
    its own, and no command says so. Nothing where none answers; none is started."""
    client = Client(str(region.socket_path))
    try:
        if not client.accepts():
            return ()
        status = cast("Mapping[str, object]", client.status())
    except (OSError, GreenroomError):
        # Without root or without a right: what the daemon has is not for everybody to know.
        return ()
    has = {variable: status.get(field) for variable, field in _SETTINGS.items()}
    set_here = {v: getattr(region, field) for v, field in _SETTINGS.items() if v in os.environ}
    return (_compared(status["pid"], has, set_here),)


def _compared(pid: object, has: Mapping[str, object], set_here: Mapping[str, object]) -> Finding:
    other = [variable for variable, value in set_here.items() if has[variable] != value]
    if not other:
        told = ", ".join(f"{variable} {value}" for variable, value in has.items())
        return Finding(name="daemon", ok=True, message=f"process {pid} runs with {told}")
    told = " and ".join(f"{name} {has[name]}, not {set_here[name]}" for name in other)
    mend = f"unset {' '.join(other)}"
    if _CIDR in other:
        # The region and its machines have their addresses already.
        mend += f", or export GREENROOM_REGION=NAME for a region of its own with {set_here[_CIDR]}"
    else:
        mend += ", or greenroom serve --stop: the next command starts a daemon with yours"
    return Finding(name="daemon", ok=False, message=f"process {pid} runs with {told}", mend=mend)
