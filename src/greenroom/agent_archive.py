"""Packing the agent into one zipapp, the same bytes for the same sources, Python and zlib.

Each module is there twice: as source, which every Python can run, and compiled by this Python, so
that a machine with the same one (Debian 12 has 3.11) need not compile at each boot. `zipimport`
takes the compiled one if its magic number fits, else the source; no flag or path has to say so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "greenroom_agent"
SOURCES = Path(__file__).parent / "agent"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip entry can bear; any fixed one would do."""

UNCHECKED_HASH = (0b01).to_bytes(4, "little")
"""PEP 552: a compiled file that is not compared with its source. The kind that bears a time would
be compared through the machine's time zone, since zip entries have local times."""

ON_AWS_ONLY = frozenset(
    {
        "account",
        "aws_config",
        "data_volume",
        "host_names",
        "instance",
        "name_records",
        "provision",
        "recipe",
        "session_manager",
        "sigv4",
        "snapshot",
        "systemd_units",
    }
)
"""Modules of the agent that no local boot imports."""

MARSHAL_VERSION = 2
"""Without references between objects, which later versions write depending on reference counts:
the same source would give other bytes in another process."""

MAIN = f"""\
import sys

from {PACKAGE}.main import main

sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentArchive:
    """The zipapp and its sha256 (hex), which is part of its key in the agent's bucket."""

    sha256: str
    content: bytes


@cache
def build_agent() -> AgentArchive:
    """Pack the installed agent; some 40 ms once per process."""
    return pack_agent(read_sources(SOURCES))


def read_sources(directory: Path) -> dict[str, str]:
    """Archive path to source text of every module of the package."""
    sources = {
        f"{PACKAGE}/{path.name}": path.read_text(encoding="utf-8")
        for path in sorted(directory.glob("*.py"))
        if path.name != "__main__.py"
    }
    return {"__main__.py": MAIN, **sources}


def pack_agent(sources: dict[str, str]) -> AgentArchive:
    """Pure: the same sources give the same archive."""
    entries: dict[str, bytes] = {}
    for name, text in sources.items():
        entries[name] = text.encode()
        entries[f"{name}c"] = compiled(text, name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.create_system = 3  # Unix, also where it is not: the byte is in the archive
            entry.external_attr = 0o100644 << 16
            entry.compress_type = _compression(name)
            archive.writestr(entry, entries[name])
    content = buffer.getvalue()
    return AgentArchive(sha256=hashlib.sha256(content).hexdigest(), content=content)


def _compression(name: str) -> int:
    """What a local boot reads is stored: it saves the import of zlib and the inflating. The rest
    is only hashed there, with 0.6 ms of a core for 160 KB."""
    module, _, kind = name.rpartition("/")[2].partition(".")
    rare = kind == "py" or module in ON_AWS_ONLY
    return zipfile.ZIP_DEFLATED if rare else zipfile.ZIP_STORED


def compiled(text: str, name: str) -> bytes:
    """A .pyc of ``text``: magic number, flags, the source's hash, code (PEP 552)."""
    code = compile(text, name, "exec", dont_inherit=True, optimize=0)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH
    return header + importlib.util.source_hash(text.encode()) + marshal.dumps(code, MARSHAL_VERSION)
