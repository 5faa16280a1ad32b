"""The machines of an environment as variables, for programs that read a ``.env`` file; pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from greenroom.model.inventory import MachineRecord

_NOT_IN_NAME = re.compile(r"[^A-Z0-9_]")


def render_dotenv(records: Sequence[MachineRecord]) -> str:
    """``BACKEND1_HOST=10.213.0.10``, ports by the services' names, all of a type in one."""
    lines: list[tuple[str, str]] = []
    by_type: dict[str, list[str]] = {}
    for record in records:
        prefix = _name(record.name)
        lines.append((f"{prefix}_HOST", record.address))
        lines += [(f"{prefix}_{_name(name)}_PORT", str(port)) for name, port in record.services]
        if record.public_dns is not None:
            lines.append((f"{prefix}_PUBLIC_DNS", record.public_dns))
        by_type.setdefault(record.type, []).append(record.address)
    lines += [(f"{_name(type_)}_HOSTS", ",".join(hosts)) for type_, hosts in by_type.items()]
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in lines)


def _name(text: str) -> str:
    return _NOT_IN_NAME.sub("_", text.upper())
