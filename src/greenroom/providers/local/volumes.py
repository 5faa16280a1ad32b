"""Data volumes: a golden volume is what one real, verified restore left behind, and every
environment gets a copy-on-write clone of it.

A golden volume's key is the hash of all that decides its content: the machine's image (the
server's version), the engine's settings and the manifest itself, which holds the checksum of the
dump. A new extract is another key, so a stale clone cannot happen.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from pydantic import TypeAdapter

from greenroom.errors import BugError, InputError, OperationError
from greenroom.model.proof import RestoreReport
from greenroom.model.stack import Machine, RestoreMode, Stack, Volume
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.pool import clone_tree, remove_tree

_FAMILY = "family"
_REPORT = "report.json"
_RESTORE_REPORT = TypeAdapter(RestoreReport)
_KEPT_PER_FAMILY = 3
"""Branches may stand on different versions of an extract or of the server."""


def golden_key(stack: Stack, machine: Machine) -> str:
    """The key of the golden volume that ``machine`` needs. Raises InputError if the manifest is
    gone."""
    volume = _volume(machine)
    parts: dict[str, str | None] = {
        "image": stack.image_of(machine).digest,
        "engine": volume.engine,
        "database": volume.database,
        "user": volume.user,
        "directory": volume.directory,
        "manifest": None,
    }
    if volume.mode is not RestoreMode.EMPTY:
        manifest = manifest_path(stack, volume)
        parts["manifest"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def manifest_path(stack: Stack, volume: Volume) -> Path:
    """The manifest in its bucket. Raises InputError (E_EXTRACT_MISSING)."""
    bucket = next(b for b in stack.buckets if b.name == volume.bucket)
    path = bucket.path / str(volume.manifest_key)
    if not path.is_file():
        raise InputError(
            "E_EXTRACT_MISSING",
            f"restore source {volume.source!r} of {volume.data_name}: there is no manifest {path}",
            hint="make or fetch the extract, or restore another source: --restore "
            f"{volume.data_name}=none",
        )
    return path


def golden_volume(layout: Layout, key: str) -> Path | None:
    """The golden volume of that key, or None if nobody has made it yet."""
    folder = layout.goldens / key
    return folder / "volume" if folder.is_dir() else None


def keep_as_golden(
    layout: Layout, key: str, family: str, report: RestoreReport, drill_volume: Path
) -> None:
    """Make a drill's volume the golden one of that key; the server on it must be down.

    Of a ``family`` (a stack's data of one source) the newest few are kept: clones share blocks
    with them, but do not need them. What we note stands beside the volume, never in it: the
    machine may have put links there.
    """
    partial = layout.goldens / f".{key}.{time.time_ns()}"
    partial.mkdir()
    (partial / _FAMILY).write_text(family)
    (partial / _REPORT).write_bytes(_RESTORE_REPORT.dump_json(report))
    drill_volume.rename(partial / "volume")
    partial.rename(layout.goldens / key)
    relatives = [
        f.parent for f in layout.goldens.glob(f"[!.]*/{_FAMILY}") if f.read_text() == family
    ]
    # This one first, whatever the clock said when the others were made.
    relatives.sort(key=lambda folder: (folder.name != key, -folder.stat().st_mtime_ns))
    for outdated in relatives[_KEPT_PER_FAMILY:]:
        # Renamed first: nobody begins to clone a volume that is going.
        remove_tree(outdated.rename(layout.goldens / f".{outdated.name}.{time.time_ns()}"))


def golden_report(layout: Layout, key: str) -> RestoreReport:
    """What the drill reported that made the golden volume of that key."""
    return _RESTORE_REPORT.validate_json((layout.goldens / key / _REPORT).read_bytes())


def refuse_disagreement(stack: Stack, drill: Machine, report: RestoreReport) -> None:
    """Raises OperationError (E_DRILL) if what a drill reported is not what its manifest says.

    The drill has compared already; here the host does it again, with its own copy.
    """
    volume = _volume(drill)
    if volume.mode is RestoreMode.EMPTY or not report.tables:
        return
    manifest = json.loads(manifest_path(stack, volume).read_bytes())
    wanted = {(n, t["rows"], t["checksum"]) for n, t in manifest["tables"].items()}
    found = {(table.name, table.rows, table.checksum) for table in report.tables}
    if found != wanted:
        names = ", ".join(sorted({name for name, _, _ in found ^ wanted})[:5])
        raise OperationError(
            "E_DRILL",
            f"{drill.name} reports other tables than its manifest: {names}",
        )


def golden_family(stack: Stack, machine: Machine) -> str:
    """What older and newer golden volumes of the same thing have in common."""
    volume = _volume(machine)
    return f"{stack.environment.stack}/{volume.data_name}/{volume.source or 'empty'}"


def clone_golden(place: MachineLayout, golden: Path) -> float:
    """Give the machine a clone; returns the seconds it took. Idempotent."""
    started = time.monotonic()
    if not place.volume.exists():
        partial = place.data / ".volume"
        remove_tree(partial)
        place.data.mkdir(parents=True, exist_ok=True)
        clone_tree(golden, partial)
        partial.rename(place.volume)
    return time.monotonic() - started


def make_empty_volume(place: MachineLayout) -> None:
    """A bare volume for a machine that restores by itself. Idempotent."""
    place.volume.mkdir(parents=True, exist_ok=True)
    os.chown(place.volume, 0, 0)


def _volume(machine: Machine) -> Volume:
    if machine.volume is None:
        raise BugError("E_BUG", f"{machine.name} has no volume")
    return machine.volume
