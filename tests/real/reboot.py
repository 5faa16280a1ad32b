"""What a reboot takes away, taken away by hand: every process, namespace, link, mount and cgroup
of the region, and its files under /run. What is on the disk stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.real.site import LABEL, REGION, RUN, STATE, wait_until

_LINK = f"gr-{LABEL}"


def lose_the_world() -> None:
    """Simulate a reboot of the host, as far as the region goes; the daemon is killed first."""
    if (RUN / "daemon.lock").exists():
        kill_and_wait([int(word) for word in (RUN / "daemon.lock").read_text().split()])
    kill_and_wait(list(machine_pids()))
    for name in ("dnsmasq", "haproxy"):
        if (RUN / f"{name}.pid").exists():
            kill_and_wait([int((RUN / f"{name}.pid").read_text())])
    for namespace in Path("/run/netns").glob(f"{REGION}*"):
        if namespace.name == REGION or namespace.name.startswith(f"{REGION}."):
            subprocess.run(["ip", "netns", "delete", namespace.name], check=True)
    # It goes with the region's namespace, by and by; whoever is first.
    subprocess.run(["ip", "link", "delete", _LINK], check=False, capture_output=True)
    wait_until(lambda: not Path("/sys/class/net", _LINK).exists())
    if (STATE / "pool").is_mount():
        # Kills leave their mounts to the kernel, which takes a moment.
        wait_until(lambda: subprocess.run(["umount", STATE / "pool"]).returncode == 0)
    for top in Path("/sys/fs/cgroup").iterdir():
        _remove_cgroups(top / REGION)
    _remove_cgroups(Path("/sys/fs/cgroup") / REGION)
    shutil.rmtree(RUN)


def machine_pids(environment: str = "*", machine: str = "*") -> set[int]:
    """The processes in the cgroups of the machines whose names match."""
    found: set[int] = set()
    for pattern in (f"{REGION}/{environment}/{machine}", f"*/{REGION}/{environment}/{machine}"):
        for procs in Path("/sys/fs/cgroup").glob(f"{pattern}/cgroup.procs"):
            found |= {int(word) for word in procs.read_text().split()}
    return found


def kill_and_wait(pids: list[int]) -> None:
    """SIGKILL, and wait until nobody of them runs."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    wait_until(lambda: not any(runs(pid) for pid in pids))


def runs(pid: int) -> bool:
    """Whether the process lives; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _remove_cgroups(top: Path) -> None:
    def remove(folder: Path) -> None:
        for child in list(_children(folder)):
            remove(child)
        folder.rmdir()

    if top.is_dir():
        remove(top)


def _children(folder: Path) -> Iterator[Path]:
    return (child for child in folder.iterdir() if child.is_dir())
