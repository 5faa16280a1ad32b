"""Logical ids: the names that CloudFormation knows resources by.

They are letters and digits only, and what a person reads in the stack's events. A resource whose
id changes is made anew, so an id depends on nothing but the name that it stands for.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenroom.model.cloud import CloudStack

_OF_A_MACHINE = re.compile(r"(Template|Scaling|Volume|Attachment|(Handle|Ready)[0-9a-f]+)?")
"""What follows the machine's own part in the ids of its resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalIds:
    """The first part of every id, by the name of machine, machine type or group."""

    machines: Mapping[str, str]
    types: Mapping[str, str]
    groups: Mapping[str, str]

    def machine_of(self, logical_id: str) -> str | None:
        """The machine that a resource belongs to; None for what serves several."""
        for name, base in self.machines.items():
            if logical_id.startswith(base) and _OF_A_MACHINE.fullmatch(logical_id, len(base)):
                return name
        return None


def logical_ids(cloud: CloudStack) -> LogicalIds:
    """The ids of one environment."""
    machines = cloud.stack.machines
    return LogicalIds(
        machines=alphanumeric(machine.name for machine in machines),
        types=alphanumeric(dict.fromkeys(machine.type for machine in machines)),
        groups=alphanumeric(group.name for group in cloud.stack.groups),
    )


def alphanumeric(names: Iterable[str]) -> dict[str, str]:
    """Names without their dashes; where two would be one, those with dashes get a hash."""
    plain = {name: name.replace("-", "") for name in names}
    count = Counter(plain.values())
    return {
        name: f"{short}x{_hash(name)}" if count[short] > 1 and short != name else short
        for name, short in plain.items()
    }


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:6]
