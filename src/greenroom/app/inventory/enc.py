"""A machine as Puppet's external node classifier describes it («Writing external node
classifiers»); pure."""

from __future__ import annotations

import re

from greenroom.model.inventory import MachineRecord

BRANCH_TAG = "puppetbranch"
CLASSES_TAG = "puppetclasses"
_NOT_IN_NAME = re.compile(r"[^a-z0-9_]")


def render_enc(record: MachineRecord) -> str:
    """YAML with environment, classes and parameters.

    The environment is the machine's tag ``puppetbranch``, else its branch. The classes are those
    of its tag ``puppetclasses``, else ``role::ROLE``. Every tag is a parameter.
    """
    tags = dict(record.tags)
    lines = ["---", f"environment: {_text(puppet_environment(record))}", "classes:"]
    lines += [f"  {_text(name)}: {{}}" for name in _classes(record)]
    lines.append("parameters:")
    parameters = tags | {
        "stack": record.stack,
        "branch": record.branch,
        "role": record.role,
        "greenroom_environment": record.environment,
        "greenroom_machine": record.name,
        "public_dns": record.public_dns or "",
    }
    lines += [f"  {_text(_name(key))}: {_text(value)}" for key, value in sorted(parameters.items())]
    return "\n".join(lines) + "\n"


def puppet_environment(record: MachineRecord) -> str:
    """A name that Puppet takes for an environment: small letters, digits and underscores."""
    chosen = dict(record.tags).get(BRANCH_TAG) or record.branch or "production"
    return _name(chosen)


def _classes(record: MachineRecord) -> list[str]:
    told = dict(record.tags).get(CLASSES_TAG)
    if told is not None:
        return told.replace(",", " ").split()
    return [f"role::{_name(record.role)}"]


def _name(text: str) -> str:
    return _NOT_IN_NAME.sub("_", text.lower())


def _text(text: str) -> str:
    """A YAML scalar in double quotes (YAML 1.2, section 5.7). JSON would nearly do, but writes what
    lies beyond 16 bits as two halves, which YAML does not put together."""
    escaped = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(escaped)}"'
