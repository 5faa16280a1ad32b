"""The end of everything in a cgroup, whatever it does about it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.providers.local.cgroups import cgroup_folders, cgroup_pids, freeze, remove_cgroups
from greenroom.providers.local.killing import kill_all
from tests.real.site import LABEL, wait_until

GROUP = f"/greenroom-{LABEL}-killing"
STUBBORN = "trap '' TERM INT HUP; while :; do sleep 100 & sleep 100; done"


@pytest.fixture
def machine() -> Iterator[Path]:
    """A cgroup below GROUP, in one hierarchy, as a machine has it."""
    top = Path("/sys/fs/cgroup")
    hierarchy = top if (top / "cgroup.controllers").exists() else top / "pids"
    folder = hierarchy / GROUP.lstrip("/") / "machine"
    folder.mkdir(parents=True)
    yield folder
    kill_all(GROUP)
    remove_cgroups(GROUP)


def test_all_processes_of_a_cgroup_and_below_die_and_it_can_be_removed(machine: Path) -> None:
    inside = f"echo $$ > {machine}/cgroup.procs; {STUBBORN}"
    processes = [subprocess.Popen(["setsid", "sh", "-c", inside]) for _ in range(3)]
    wait_until(lambda: len(cgroup_pids(GROUP)) >= 3 * 3)
    kill_all(GROUP)
    assert cgroup_pids(GROUP) == set()
    assert [process.wait(timeout=10) for process in processes] == [-9] * 3
    remove_cgroups(GROUP)
    assert cgroup_folders(GROUP) == ()


@pytest.mark.parametrize("held", [f"{GROUP}/machine", GROUP])
@pytest.mark.parametrize("killed", [f"{GROUP}/machine", GROUP])
def test_what_is_held_still_dies_as_well_even_from_above(
    machine: Path, held: str, killed: str
) -> None:
    hierarchies = [machine]
    if not (machine / "cgroup.freeze").exists():
        freezer = Path("/sys/fs/cgroup/freezer") / GROUP.lstrip("/") / "machine"
        freezer.mkdir(parents=True, exist_ok=True)
        hierarchies.append(freezer)
    joins = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in hierarchies)
    process = subprocess.Popen(["sh", "-c", f"{joins}; {STUBBORN}"])
    wait_until(lambda: len(cgroup_pids(GROUP)) >= 3)
    freeze(held)
    kill_all(killed)
    assert process.wait(timeout=10) == -9
    assert cgroup_pids(GROUP) == set()


def test_nothing_to_kill_is_no_error(machine: Path) -> None:
    kill_all(GROUP)
    kill_all(f"{GROUP}-that-never-was")
