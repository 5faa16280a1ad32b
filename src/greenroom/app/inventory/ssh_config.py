"""The inventory as OpenSSH reads it (ssh_config(5)); pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from greenroom.app.inventory.naming import aliases
from greenroom.model.inventory import MachineRecord

HOST_KEY_ALIAS = "greenroom"
"""All machines are met through one server, which has one key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """How ssh gets into machines: ``program`` is greenroom's command line, in a shell's words, the
    others are paths of files that only root can read."""

    program: str
    identity: str
    known_hosts: str


def render_ssh_config(records: Sequence[MachineRecord], access: SshAccess) -> str:
    """A Host block for each machine that runs."""
    blocks = [
        "\n".join([f"Host {' '.join(names)}", *(f"  {line}" for line in _lines(record, access))])
        for record, names in zip(records, aliases(records), strict=True)
        if record.is_up
    ]
    return "\n\n".join([_HEAD, *blocks]) + "\n"


def ssh_options(record: MachineRecord, access: SshAccess) -> tuple[tuple[str, str], ...]:
    """The options that differ from ssh's own, without those that name user and identity."""
    target = shlex.join([record.environment, record.name])
    command = f"{access.program} ssh-proxy {target}"
    return (
        ("IdentitiesOnly", "yes"),
        ("UserKnownHostsFile", access.known_hosts),
        ("GlobalKnownHostsFile", "/dev/null"),
        ("HostKeyAlias", HOST_KEY_ALIAS),
        ("StrictHostKeyChecking", "yes"),
        # ssh expands %-signs in it.
        ("ProxyCommand", command.replace("%", "%%")),
    )


def _lines(record: MachineRecord, access: SshAccess) -> list[str]:
    options = (
        ("User", "root"),
        ("IdentityFile", access.identity),
        *ssh_options(record, access),
    )
    return [f"{name} {value}" for name, value in options]


_HEAD = "# Made by greenroom inventory --format ssh"
