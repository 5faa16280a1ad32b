"""What a reboot takes away, taken away by hand: every process, namespace, link, mount and cgroup
of the region, and its files under /run. What is on the disk stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from greenroom.providers.local.cgroups import (
    cgroup_folders,
    cgroup_pids,
    remove_cgroups,
    thaw,
)
from greenroom.providers.local.names import running_pid
from tests.real.site import LABEL, REGION, is_in_use, wait_until


def lose_the_world(label: str = LABEL) -> None:
    """Simulate a reboot of the host, as far as the region goes; the daemon is killed first. Takes
    down whatever there is, also what is held still."""
    region = f"greenroom-{label}"
    run, pool = Path("/run", region), Path("/var/lib", region, "pool")
    if is_in_use(run):
        for word in (run / "daemon.lock").read_text().split():
            _kill_group(int(word))
    _kill_machines(region)
    for name in ("dnsmasq", "haproxy"):
        pid = running_pid(run / f"{name}.pid", name)
        kill_and_wait([] if pid is None else [pid])
    for namespace in Path("/run/netns").glob(f"{region}*"):
        if namespace.name == region or namespace.name.startswith(f"{region}."):
            subprocess.run(["ip", "netns", "delete", namespace.name], check=True)
    # It goes with the region's namespace, by and by; whoever is first.
    link = f"gr-{label}"
    subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
    wait_until(lambda: not Path("/sys/class/net", link).exists())
    # Not by stat(2), which a pool that was shut down does not answer.
    if str(pool) in Path("/proc/mounts").read_text().split():
        # Kills leave their mounts to the kernel, which takes a moment.
        wait_until(lambda: subprocess.run(["umount", pool]).returncode == 0)
    # Waits for threads that outlive the first of their process, which is no longer listed.
    remove_cgroups(f"/{region}")
    if run.exists():
        shutil.rmtree(run)


def machine_pids(environment: str = "*", machine: str = "*") -> set[int]:
    """The processes in the cgroups of the machines whose names match."""
    found: set[int] = set()
    for pattern in (f"{REGION}/{environment}/{machine}", f"*/{REGION}/{environment}/{machine}"):
        for procs in Path("/sys/fs/cgroup").glob(f"{pattern}/cgroup.procs"):
            found |= {int(word) for word in procs.read_text().split()}
    return found


def _kill_group(daemon: int) -> None:
    """The daemon leads a group of its own; what it runs as a part of itself, such as a crun that
    starts a machine just now, is in it, and would go on."""
    with contextlib.suppress(ProcessLookupError):
        assert os.getpgid(daemon) == daemon
        os.killpg(daemon, signal.SIGKILL)
    wait_until(lambda: not any(_group_of(pid) == daemon and runs(pid) for pid in _all_pids()))


def _kill_machines(region: str) -> None:
    def are_dead() -> bool:
        pids = cgroup_pids(f"/{region}")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # What is held still does not even die (cgroup-v1/freezer-subsystem).
        _thaw_all(region)
        return not any(map(runs, pids))

    wait_until(are_dead)


def _thaw_all(region: str) -> None:
    for top in cgroup_folders(f"/{region}"):
        for folder, _, _ in os.walk(top):
            thaw(folder[folder.index(f"/{region}") :])


def kill_and_wait(pids: list[int]) -> None:
    """SIGKILL, and wait until nobody of them runs."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    wait_until(lambda: not any(runs(pid) for pid in pids))


def runs(pid: int) -> bool:
    """Whether the process lives. A zombie does not, but it is shown as one already when its first
    thread has ended and others are yet to (proc_pid_stat(5): state, num_threads)."""
    stat = _stat(pid)
    return bool(stat) and (stat[0] != "Z" or int(stat[17]) > 1)


def born(pid: int) -> str:
    """When the process began (its starttime, in ticks since the boot): a number may be given again,
    but not with this. Empty if there is no such process."""
    stat = _stat(pid)
    return stat[19] if stat else ""


def command_line(pid: int) -> bytes:
    """Its words, each with a null byte behind it; none if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _group_of(pid: int) -> int:
    stat = _stat(pid)
    return int(stat[2]) if stat else 0


def _stat(pid: int) -> list[str]:
    """The fields of its stat from the state on; none if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
