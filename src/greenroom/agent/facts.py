"""What the machine is, from its metadata: files for programs, words for people."""

from __future__ import annotations

import os

from .errors import AgentError
from .metadata import Metadata
from .quick_json import dumps, loads
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from typing import Any

    from .config import Boot
    from .paths import Paths

NAMES = (
    "ami-id",
    "hostname",
    "instance-id",
    "instance-type",
    "local-hostname",
    "local-ipv4",
    "security-groups",
)
AGENT_FILE = "/opt/greenroom/agent.pyz"
WRAPPERS = ("facts", "manifest")


class Facts(Value):
    """``metadata`` maps the names above; ``tags`` are this machine's own and its groups'."""

    tags: dict[str, str]
    metadata: dict[str, str]

    @property
    def address(self) -> str:
        """The machine's own address, where others reach it."""
        return self.metadata.get("local-ipv4", "127.0.0.1")

    def lookup(self, name: str) -> str:
        """A tag's value or else a metadata value; raises AgentError that lists the tags."""
        for known in (self.tags, self.metadata):
            if name in known:
                return known[name]
        listed = ", ".join(sorted(self.tags)) or "none"
        raise AgentError(f"no fact named {name!r}. Tags: {listed}. Metadata: {', '.join(NAMES)}")


def gather_facts(metadata: Metadata) -> Facts:
    """Ask metadata for everything."""
    found = {name: metadata.get(f"meta-data/{name}") for name in NAMES}
    known = {name: value for name, value in found.items() if value is not None}
    return Facts(tags=metadata.tags(), metadata=known)


def kept_facts(paths: Paths) -> Facts | None:
    """What cloud-init has already asked of metadata, or None if it did not keep all of it.

    Each question that need not be asked again spares the service that answers all machines.
    """
    try:
        with open(paths.instance_data, encoding="utf-8") as file:
            document: Any = loads(file.read())
        known = document["ds"]["meta_data"]
        tags = known["tags"]["instance"]
        return Facts(
            tags={key: _joined(tags[key]) for key in sorted(tags)},
            metadata={name: _joined(known[name]) for name in NAMES},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _joined(value: object) -> str:
    """As metadata gave it: cloud-init makes a list of lines, and other things of what looks like
    them, which are not taken apart here."""
    lines = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        raise TypeError("neither a text nor lines")
    return "\n".join(str(line) for line in lines)


def live_fact(metadata: Metadata, name: str) -> str:
    """One fact with as few questions as can be; raises AgentError that lists the tags."""
    value = metadata.tag(name)
    if value is None and name in NAMES:
        value = metadata.get(f"meta-data/{name}")
    if value is not None:
        return value
    return Facts(tags=metadata.tags(), metadata={}).lookup(name)


def facts_document(facts: Facts, boot: Boot) -> dict[str, object]:
    """The content of facts.json."""
    return {
        "version": 1,
        "machine": boot.machine,
        "environment": boot.environment,
        "branch": boot.branch,
        "role": facts.tags.get("role", ""),
        "tags": facts.tags,
        "metadata": facts.metadata,
    }


def environment_lines(facts: Facts, boot: Boot) -> list[str]:
    """The facts as assignments that any POSIX shell reads, whatever the tags contain.

    Two tags whose names differ only in signs would get one variable: the first by name has it.
    """
    values = {
        "GREENROOM_MACHINE": boot.machine,
        "GREENROOM_ENVIRONMENT": boot.environment,
        "GREENROOM_BRANCH": boot.branch,
        "GREENROOM_ROLE": facts.tags.get("role", ""),
    }
    for key in sorted(facts.tags):
        name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in key.upper())
        values.setdefault(f"GREENROOM_TAG_{name}", facts.tags[key])
    return [f"{name}={shell_quoted(value)}" for name, value in values.items()]


def shell_quoted(text: str) -> str:
    """``text`` as one shell word on one line: control characters become spaces."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return "'" + line.replace("'", "'\\''") + "'"


def write_facts(facts: Facts, boot: Boot, paths: Paths) -> None:
    """Leave facts.json, the environment file and the two commands."""
    document = dumps(facts_document(facts, boot))
    write_file(paths.facts, document + "\n")
    write_file(paths.environment, "\n".join(environment_lines(facts, boot)) + "\n")
    for command in WRAPPERS:
        script = f'#!/bin/sh\nexec python3 -I -S {AGENT_FILE} {command} "$@"\n'
        write_file(paths.at(f"/usr/local/bin/greenroom-{command}"), script, mode=0o755)


def read_facts(paths: Paths) -> Facts:
    """What the last boot wrote; raises AgentError."""
    try:
        with open(paths.facts, encoding="utf-8") as file:
            document: Any = loads(file.read())
        return Facts(tags=dict(document["tags"]), metadata=dict(document["metadata"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AgentError(f"cannot read {paths.facts}: {error}") from error


def read_file(path: str) -> str:
    """The text of ``path``; nothing if there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_file(path: str, content: str, *, mode: int = 0o644) -> None:
    """Replace ``path`` at once: a reader sees the old or the new, never half."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
    os.replace(temporary, path)
