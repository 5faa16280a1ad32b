"""What a host holds, read from the kernel: two snapshots are compared in the tests."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Sets of names; ``processes`` are ``pid command line`` of the region's."""

    namespaces: frozenset[str]
    links: frozenset[str]
    tables: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    processes: frozenset[str]
    loops: frozenset[str]
    files: frozenset[str]

    def left_since(self, before: HostState) -> dict[str, list[str]]:
        """What is here now and was not before, by kind; empty kinds are left out."""
        left = {
            field.name: sorted(getattr(self, field.name) - getattr(before, field.name))
            for field in fields(self)
        }
        return {kind: names for kind, names in left.items() if names}


def take(region: str, folders: tuple[Path, ...] = ()) -> HostState:
    """Look at the host now; ``folders`` are listed whole, the region's nft rules if it is up."""
    return HostState(
        namespaces=frozenset(_names(Path("/run/netns"))),
        links=frozenset(link["ifname"] for link in json.loads(_run(["ip", "-j", "link"]))),
        tables=frozenset(_tables(region)),
        mounts=frozenset(_mounts()),
        cgroups=frozenset(_cgroups()),
        processes=frozenset(_processes(region)),
        loops=frozenset(_run(["losetup", "--list", "--noheadings", "-O", "BACK-FILE"]).split()),
        files=frozenset(str(path) for folder in folders for path in folder.rglob("*")),
    )


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _tables(region: str) -> list[str]:
    found = [f"host: {line}" for line in _run(["nft", "list", "tables"]).splitlines()]
    if Path("/run/netns", region).exists():
        # Stateless (-s): the counters of what was rejected are no objects.
        argv = ["ip", "netns", "exec", region, "nft", "-s", "list", "ruleset"]
        found += [f"region: {line}" for line in _run(argv).splitlines()]
    return found


def _mounts() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _cgroups() -> list[str]:
    return [str(p) for p in Path("/sys/fs/cgroup").rglob("*") if "greenroom" in str(p)]


def _processes(region: str) -> list[str]:
    """The processes that belong to the region: by cgroup, command line or environment."""
    found = []
    marks = (region.encode(), f"GREENROOM_REGION={region.removeprefix('greenroom-')}".encode())
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            texts = [(entry / name).read_bytes() for name in ("cgroup", "cmdline", "environ")]
        except OSError:
            continue
        if any(mark in text for mark in marks for text in texts):
            found.append(f"{entry.name} {texts[1].replace(bytes(1), b' ').decode()}".strip())
    return found


def _run(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
