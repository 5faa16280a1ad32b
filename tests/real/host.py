"""What a host holds, read from the kernel: two snapshots are compared in the tests.

What bears the name of another region is left out, so that two regions of one host can be tested
at once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

_REGION_NAME = re.compile(r"greenroom(?:-([a-z][a-z0-9]{0,7}))?(?![a-z0-9])")
_REGION_LINK = re.compile(r"gr-[a-z][a-z0-9]{0,7}|greenroom0")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Sets of names. ``links`` and ``tables`` are the host's and, if it is up, the region's;
    ``processes`` are command lines of the region, with the number of those that run."""

    namespaces: frozenset[str]
    links: frozenset[str]
    tables: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    processes: frozenset[str]
    loops: frozenset[str]
    files: frozenset[str]

    def changes_since(self, before: HostState) -> dict[str, list[str]]:
        """What is here now and was not before (``+``), and the other way round (``-``), by kind;
        kinds without a change are left out."""
        changes = {}
        for field in fields(self):
            now, then = getattr(self, field.name), getattr(before, field.name)
            changes[field.name] = [
                *(f"+ {name}" for name in sorted(now - then)),
                *(f"- {name}" for name in sorted(then - now)),
            ]
        return {kind: names for kind, names in changes.items() if names}


def take(region: str, folders: Iterable[Path] = ()) -> HostState:
    """Look at the host now; ``folders`` are listed whole."""

    def own(names: Iterable[str]) -> frozenset[str]:
        return frozenset(name for name in names if not _is_of_another(name, region))

    return HostState(
        namespaces=own(_names(Path("/run/netns"))),
        links=own(_links()) | frozenset(_region_links(region)),
        tables=frozenset(_tables(region)),
        mounts=own(_mounts()),
        cgroups=own(_cgroups()),
        processes=frozenset(_processes(region)),
        loops=own(_run(["losetup", "--list", "--noheadings", "-O", "BACK-FILE"]).split()),
        files=frozenset(str(path) for folder in folders for path in folder.rglob("*")),
    )


def _is_of_another(name: str, region: str) -> bool:
    label = region.removeprefix("greenroom").removeprefix("-")
    if _REGION_LINK.fullmatch(name):
        return name != (f"gr-{label}" if label else "greenroom0")
    found = _REGION_NAME.search(name)
    return found is not None and (found[1] or "") != label


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _links() -> list[str]:
    return [link["ifname"] for link in json.loads(_run(["ip", "-j", "link"]))]


def _region_links(region: str) -> Iterator[str]:
    if Path("/run/netns", region).exists():
        listed = json.loads(_run(["ip", "-n", region, "-j", "link"]))
        yield from (f"region: {link['ifname']}" for link in listed)


def _tables(region: str) -> Iterator[str]:
    yield from (f"host: {line}" for line in _run(["nft", "list", "tables"]).splitlines())
    if Path("/run/netns", region).exists():
        # Stateless (-s): the counters of what was rejected are no objects.
        argv = ["ip", "netns", "exec", region, "nft", "-j", "-s", "list", "ruleset"]
        for entry in json.loads(_run(argv))["nftables"]:
            for kind, content in entry.items():
                yield from _objects(kind, content)


def _objects(kind: str, content: dict[str, Any]) -> Iterator[str]:
    """A table, chain, rule, set or map, and each element that somebody put into it: those that
    count connections are the kernel's own, which collects them when it finds the time."""
    elements = content.pop("elem", [])
    content.pop("handle", None)
    yield f"region: {kind} {json.dumps(content)}"
    for element in elements:
        if not (isinstance(element, dict) and "ct count" in element.get("elem", {})):
            yield f"region: in {content['name']}: {json.dumps(element)}"


def _mounts() -> list[str]:
    """All but those of images that are being built, whose names do not tell the region, and but
    for /run/netns itself, which whoever makes the first named namespace makes a mount for all."""
    found = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [
        target
        for target in found
        if not target.startswith("/tmp/mmdebstrap.") and target != "/run/netns"
    ]


def _cgroups() -> Iterator[str]:
    for folder, below, _ in os.walk("/sys/fs/cgroup"):
        yield from (path for name in below if "greenroom" in (path := f"{folder}/{name}"))


def _processes(region: str) -> Iterator[str]:
    """The processes that belong to the region: by cgroup, command line or environment."""
    label = region.removeprefix("greenroom").removeprefix("-")
    marks = (region.encode(), f"GREENROOM_REGION={label}".encode())
    found: Counter[str] = Counter()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            texts = [(entry / name).read_bytes() for name in ("cgroup", "cmdline", "environ")]
        except OSError:
            continue
        if any(mark in text for mark in marks for text in texts):
            found[texts[1].replace(bytes(1), b" ").decode().strip()] += 1
    yield from (f"{number} × {line}" for line, number in found.items())


def _run(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
