"""The inventory as Ansible reads it from a script («Developing dynamic inventory»); pure.

Ansible takes variables for templates: a branch that is called ``{{ … }}`` would be run where
Ansible runs. Texts with a brace are therefore marked as unsafe, as Ansible itself writes them
(ansible.parsing.ajson), and stay what they are.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence

from greenroom.app.inventory.naming import full_name
from greenroom.app.inventory.ssh_config import SshAccess, ssh_options
from greenroom.model.inventory import MachineRecord

_NOT_IN_GROUP = re.compile(r"[^A-Za-z0-9_]")


def render_ansible(records: Sequence[MachineRecord], access: SshAccess) -> str:
    """What ``--list`` prints: groups with their hosts, and all hosts' variables. Only machines
    that run are in it."""
    up = [record for record in records if record.is_up]
    hosts: dict[str, list[str]] = {}
    for record in up:
        for group in groups_of(record):
            hosts.setdefault(group, []).append(full_name(record))
    document: dict[str, object] = {
        "_meta": {"hostvars": {full_name(record): _variables(record, access) for record in up}},
        "all": {"children": ["ungrouped", *sorted(hosts)]},
    }
    document |= {group: {"hosts": names} for group, names in sorted(hosts.items())}
    return json.dumps(document, indent=1) + "\n"


def render_ansible_host(record: MachineRecord, access: SshAccess) -> str:
    """What ``--host NAME`` prints."""
    return json.dumps(_variables(record, access), indent=1) + "\n"


def groups_of(record: MachineRecord) -> tuple[str, ...]:
    """By stack, role, branch and tags; what Ansible allows in no group's name is an underscore."""
    named: Iterable[tuple[str, str]] = (
        ("stack", record.stack),
        ("role", record.role),
        ("branch", record.branch or record.slug),
        *((f"tag_{key}", value) for key, value in record.tags if key not in ("role", "branch")),
    )
    groups = (_NOT_IN_GROUP.sub("_", f"{kind}_{value}") for kind, value in named)
    return tuple(dict.fromkeys(groups))


def _variables(record: MachineRecord, access: SshAccess) -> dict[str, object]:
    options = (
        f"-o {shlex.quote(f'{name}={value}')}" for name, value in ssh_options(record, access)
    )
    facts = {
        "environment": record.environment,
        "machine": record.name,
        "stack": record.stack,
        "branch": record.branch,
        "role": record.role,
        "address": record.address,
        "private_dns": record.private_dns,
        "public_dns": record.public_dns,
        "production": record.production,
        "tags": {key: _safe(value) for key, value in record.tags},
        "health": record.health.value,
    }
    return {
        "ansible_host": full_name(record),
        "ansible_user": "root",
        "ansible_ssh_private_key_file": access.identity,
        "ansible_ssh_common_args": " ".join(options),
        # Machines have no program for sftp; ssh carries files as well.
        "ansible_ssh_transfer_method": "piped",
        "ansible_python_interpreter": "/usr/bin/python3",
        **{f"greenroom_{name}": _safe(value) for name, value in facts.items()},
    }


def _safe(value: object) -> object:
    if isinstance(value, str) and "{" in value:
        return {"__ansible_unsafe": value}
    return value
