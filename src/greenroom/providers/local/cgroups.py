"""Control groups as crun makes them, in the v1, hybrid or unified hierarchy (cgroups(7))."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

_BUSY_TIMEOUT_S = 10.0


def cgroup_folders(cgroup: str) -> tuple[Path, ...]:
    """The folders of a cgroup, one per v1 controller or the one of v2."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        candidates = [top]
    else:
        candidates = [d for d in top.iterdir() if d.is_dir() and not d.is_symlink()]
    return tuple(d for c in candidates if (d := c / cgroup.lstrip("/")).is_dir())


def cgroup_pids(cgroup: str) -> set[int]:
    """Every process in a cgroup and below."""
    pids: set[int] = set()
    for folder in cgroup_folders(cgroup):
        for directory, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                pids.update(map(int, Path(directory, "cgroup.procs").read_text().split()))
    return pids


def remove_cgroups(cgroup: str) -> None:
    """Remove an empty cgroup and what is below it in every hierarchy. Idempotent.

    Walked by the kinds that the listing tells: a cgroup has forty files, and to ask each whether
    it is a folder takes longer than all the rest.
    """
    for folder in cgroup_folders(cgroup):
        for directory, _, _ in os.walk(folder, topdown=False):
            _remove_cgroup(Path(directory))


def _remove_cgroup(directory: Path) -> None:
    """A process whose first thread has ended is not listed any more, but keeps its cgroup busy
    until the last of its threads has."""
    end = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
            time.sleep(0.001)
        else:
            return


def freeze(cgroup: str) -> None:
    """Hold every process of a cgroup still, until ``thaw``."""
    _set_frozen(cgroup, v1="FROZEN", v2="1")


def thaw(cgroup: str) -> None:
    """Let them go on. Idempotent."""
    _set_frozen(cgroup, v1="THAWED", v2="0")


def thaw_below(cgroup: str) -> None:
    """Let everything in the cgroup and in the cgroups right below it go on. Idempotent."""
    thaw(cgroup)
    folders = cgroup_folders(cgroup)
    for name in {
        entry.name for folder in folders for entry in os.scandir(folder) if entry.is_dir()
    }:
        thaw(f"{cgroup}/{name}")


def thaw_above(cgroup: str) -> None:
    """Let go on what holds it still from above: a cgroup is as still as any that it lies in.
    Idempotent."""
    for above in Path(cgroup).parents:
        if above.name:
            thaw(str(above))


def _set_frozen(cgroup: str, *, v1: str, v2: str) -> None:
    for folder in cgroup_folders(cgroup):
        for name, state in (("freezer.state", v1), ("cgroup.freeze", v2)):
            with contextlib.suppress(FileNotFoundError):
                if (folder / name).exists():
                    (folder / name).write_text(state)
