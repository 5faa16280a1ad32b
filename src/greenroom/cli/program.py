"""How another program starts this one."""

from __future__ import annotations

import shlex
import sys

from greenroom.region import Region


def program_line() -> str:
    """This program and its region in a shell's words: ssh starts it in other surroundings."""
    region = Region.from_environment()
    words = [sys.executable, "-P", "-m", "greenroom.cli"]
    if region != Region(label=""):
        words = [
            "env",
            f"GREENROOM_REGION={region.label}",
            f"GREENROOM_CIDR={region.cidr}",
            f"GREENROOM_PORT={region.proxy_port}",
            f"GREENROOM_WEB_PORT={region.web_port}",
            *words,
        ]
    return shlex.join(words)
