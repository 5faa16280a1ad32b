# ruff: noqa: E501 - a message is one line, so that it can be read as its reader does.
"""The pool or the disk below it runs full, or the pool's device fails: the machine at fault is
stopped, everybody else goes on, and nobody's data is lost.

In a region of its own on a small disk of its own, so that it can be filled.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.model.names import EnvironmentName
from greenroom.providers.local.cgroups import freeze, thaw
from greenroom.providers.local.kernel import is_alive
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.machine import main_pid
from greenroom.providers.local.space import pool_room
from greenroom.region import Region
from tests.real.crew import BYSTANDER, assert_unhurt, create, make_crew
from tests.real.reboot import lose_the_world
from tests.real.site import (
    FREE_NET,
    LABEL,
    PORT,
    Site,
    destroy_all,
    error_in,
    refuse_if_in_use,
    stop_daemon,
    wait_until,
)

NAME = f"{LABEL[:6]}fs"
RUN, STATE = Path("/run") / f"greenroom-{NAME}", Path("/var/lib") / f"greenroom-{NAME}"
POOL = STATE / "pool"
REGION = {
    "GREENROOM_REGION": NAME,
    "GREENROOM_CIDR": f"{FREE_NET}.0.0/16",
    "GREENROOM_PORT": str(PORT + 1),
}
LAYOUT = Layout(Region(label=NAME))
MIB, GIB = 1024**2, 1024**3
DISK_BYTES = 30 * GIB
"""Sparse. So large that what the reserve holds, which is a share, cannot be eaten between two looks
on a busy host."""


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A region whose state lies on a small disk, with an environment that nothing may hurt."""
    site = make_crew(tmp_path_factory.mktemp("crew"), REGION)
    refuse_if_in_use(RUN)
    take_down()
    disk = tmp_path_factory.mktemp("disk") / "disk.img"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(disk)], check=True)
    STATE.mkdir()
    try:
        subprocess.run(["mount", "-o", "loop", str(disk), str(STATE)], check=True)
        create(site, "serves", BYSTANDER)
        yield site
        destroy_all(site)
        stop_daemon(site)
        assert not list(Path("/run/netns").glob(f"greenroom-{NAME}*"))
    finally:
        take_down()
        disk.unlink()


def take_down() -> None:
    """Whatever there is of the region, and its disk: a test may have failed while machines were
    held still, or while there was no pool."""
    lose_the_world(NAME)
    if STATE.is_mount():
        # Lazily: what other programs of this host have copied of its mounts is not ours to await.
        subprocess.run(["umount", "--lazy", str(STATE)], check=True)
    if STATE.exists():
        STATE.rmdir()


def reserve_bytes() -> int:
    """A little more than what is kept in reserve of the pool."""
    return pool_room(LAYOUT).reserve_bytes + 50 * MIB


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def fill_pool(filler: Path, *, leave_bytes: int) -> None:
    wanted = free_bytes(POOL) - leave_bytes
    subprocess.run(["fallocate", "-l", str(wanted), str(filler)], check=True)


def status_of(site: Site, branch: str) -> str:
    found = [e["status"] for e in site.data("list") if e["branch"] == branch]
    return str(found[0]) if found else "none"


def wait_for(site: Site, branch: str, status: str) -> None:
    """Wait until the environment is of that status; what is known of it says why it is not."""
    end = time.monotonic() + 60
    while status_of(site, branch) != status:
        assert time.monotonic() < end, site.ok("show", branch)
        time.sleep(0.02)


def refusal(site: Site) -> str:
    done = site.greenroom("create", "--machines", "serves", "--branch", "late")
    assert (done.returncode, done.stdout) == (1, "")
    assert status_of(site, "late") == "none"
    assert not (RUN / "machines" / "crew.late").exists()
    return error_in(done.stderr)


SIZE = r"\d+(\.\d)? [MG]iB"
NEEDS_ROOM = rf"{SIZE} free of {SIZE}: this needs about {SIZE}, and {SIZE} are kept in reserve for what runs\n"
NEXT_STEP = "greenroom destroy what nobody needs (greenroom list), greenroom image remove (greenroom image list)\n"


def test_a_full_disk_below_the_pool_holds_the_machines_still_until_there_is_room(
    crew: Site,
) -> None:
    # The first test of all: what is deleted in the pool comes back to the disk at any time.
    crew.inside(BYSTANDER, "serves1", "echo kept > /var/kept && sync")
    create(crew, "serves", "dispensable")
    filler = STATE / "filler"
    assert (STATE / "ballast").exists()
    subprocess.run(["fallocate", "-l", str(free_bytes(STATE) - 20 * MIB), str(filler)], check=True)
    wait_for(crew, BYSTANDER, "not proved")
    assert not (STATE / "ballast").exists()
    incident = crew.data("show", BYSTANDER)["incidents"][-1]
    assert incident["subject"] == "disk"
    assert re.fullmatch(
        rf"the disk of {STATE} has {SIZE} free of {SIZE}: all machines are held still until there "
        r"is more; the ballast was freed",
        incident["message"],
    )
    assert re.fullmatch(
        rf"error E_DISK_FULL: the disk of {STATE} has {NEEDS_ROOM}"
        rf"→ free some space there; {re.escape(NEXT_STEP)}",
        refusal(crew),
    )
    # Room is made by whoever can still destroy, by a daemon that starts only now too.
    crew.greenroom("serve", "--stop")
    crew.ok("destroy", "dispensable")
    assert status_of(crew, "dispensable") == "none"
    filler.unlink()
    wait_until((STATE / "ballast").exists)
    assert crew.inside(BYSTANDER, "serves1", "cat /var/kept") == (0, "kept\n")
    assert_unhurt(crew)
    assert status_of(crew, BYSTANDER) == "ready"


# Each line that cannot be written is a hurt bystander.
BEAT = "while ! test -e /var/enough; do echo beat >> /var/beat || touch /var/lost; sleep 0.02; done"


def test_a_machine_that_eats_the_pool_is_stopped_before_anybody_else_feels_it(crew: Site) -> None:
    create(crew, "serves", "eater")
    beating = crew.start("exec", BYSTANDER, "serves1", "--", "sh", "-c", BEAT)
    # Most of the way without writing, then as fast as it can write.
    base = free_bytes(POOL) - reserve_bytes() - 100 * MIB
    assert crew.inside("eater", "serves1", f"fallocate -l {base} /var/base")[0] == 0
    code, _ = crew.inside("eater", "serves1", "cat /dev/zero > /var/more")
    assert code == 137
    assert crew.inside(BYSTANDER, "serves1", "touch /var/enough")[0] == 0
    out, err = beating.communicate(timeout=30)
    assert (beating.returncode, out, err) == (0, "", "")
    assert crew.inside(BYSTANDER, "serves1", "test -s /var/beat && test ! -e /var/lost")[0] == 0
    assert_unhurt(crew)
    wait_for(crew, "eater", "failed")
    (incident,) = crew.data("show", "eater")["incidents"]
    assert incident["subject"] == "serves1"
    assert re.fullmatch(
        rf"serves1 was stopped: it holds {SIZE} and went on, the pool {POOL} has {SIZE} free of {SIZE}, "
        rf"and {SIZE} are kept in reserve for the others",
        incident["message"],
    )
    crew.ok("destroy", "eater")
    create(crew, "serves", "eater")
    crew.ok("destroy", "eater")


def test_machines_that_a_killed_daemon_left_still_go_on_with_the_next_one(crew: Site) -> None:
    freeze(f"/greenroom-{NAME}")
    try:
        daemon = int((RUN / "daemon.lock").read_text())
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: not is_alive(daemon))
        assert status_of(crew, BYSTANDER) != "none"
        assert crew.inside(BYSTANDER, "serves1", "true")[0] == 0
    finally:
        thaw(f"/greenroom-{NAME}")
    assert_unhurt(crew)


def test_a_full_pool_is_refused_at_the_door_and_nobody_is_stopped_who_did_not_grow(
    crew: Site,
) -> None:
    filler = POOL / "filler"
    fill_pool(filler, leave_bytes=reserve_bytes() // 2)
    assert re.fullmatch(
        rf"error E_POOL_FULL: the pool {POOL} has {NEEDS_ROOM}→ {re.escape(NEXT_STEP)}",
        refusal(crew),
    )
    log = STATE / "daemon.log"
    wait_until(lambda: "and no machine is to blame" in log.read_text())
    assert_unhurt(crew)
    filler.unlink()
    create(crew, "serves", "late")
    crew.ok("destroy", "late")


def test_a_machine_that_eats_the_pool_while_it_boots_fails_its_create(crew: Site) -> None:
    # Most of it is gone already: the machine's own checks would not wait for so long.
    filler = POOL / "filler"
    fill_pool(filler, leave_bytes=reserve_bytes() + 4 * GIB)
    before = free_bytes(POOL)
    done = crew.greenroom("create", "--machines", "gorges", "--branch", "x")
    assert (done.returncode, done.stdout) == (1, "")
    lines = error_in(done.stderr).splitlines()
    assert len(lines) == 2, done.stderr
    first, hint = lines
    assert re.fullmatch(
        rf"error E_POOL_EATEN: gorges1 was stopped: it holds {SIZE} and went on, "
        rf"the pool {POOL} has {SIZE} free of {SIZE}, and {SIZE} are kept in reserve for the others",
        first,
    )
    assert f"{hint}\n" == f"→ let it write less, or give the pool more room: {NEXT_STEP}"
    assert status_of(crew, "x") == "none"
    # XFS frees what was deleted by and by.
    wait_until(lambda: free_bytes(POOL) > before - 64 * MIB)
    assert_unhurt(crew)
    filler.unlink()


def test_a_pool_whose_device_fails_is_told_and_mounted_anew_with_its_data(crew: Site) -> None:
    create(crew, "serves", "fallen")
    crew.inside(BYSTANDER, "serves1", "echo kept > /var/kept && sync")
    # What XFS does to itself when its log cannot be written any more (xfs_io(8), shutdown).
    subprocess.run(["xfs_io", "-x", "-c", "shutdown -f", str(POOL)], check=True)
    wait_for(crew, BYSTANDER, "not proved")
    gone = f"the pool {POOL} does not answer: Input/output error"
    assert crew.data("show", BYSTANDER)["incidents"][-1]["message"] == gone
    assert refusal(crew) == (
        f"error E_POOL_GONE: {gone}\n→ dmesg tells why; when {POOL}.xfs can be read again: "
        "greenroom serve --stop, then any command mounts it anew and brings the machines back\n"
    )
    # What ends meanwhile cannot come back, and is not given up: nothing of it is its own fault.
    fallen = LAYOUT.machine(EnvironmentName("crew", "fallen"), "serves1")
    os.kill(main_pid(fallen) or 0, signal.SIGKILL)
    wait_until(lambda: crew.data("show", "fallen")["incidents"][-1]["subject"] == "serves1")
    assert status_of(crew, "fallen") == "not proved"
    crew.greenroom("serve", "--stop")
    wait_for(crew, BYSTANDER, "ready")
    wait_for(crew, "fallen", "ready")
    assert crew.inside(BYSTANDER, "serves1", "cat /var/kept") == (0, "kept\n")
    assert_unhurt(crew)
