"""Many environments: ten created at once, and thirty that run side by side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import site_of_bench as site
from table import Row, Sample, milliseconds

from greenroom.providers.local.cgroups import cgroup_folders, cgroup_pids

_TOGETHER = 10
_BESIDE = 30
_SERVERS = ("mariadbd", "redis-server", "nginx", "php-fpm")
_MIB = 1024 * 1024


def ten_at_once(folder: Path, rounds: int) -> list[Row]:
    """From the start of the first command to the end of the last, all proved."""
    site.create(folder, "at-once-0")
    site.destroy(folder, "at-once-0")
    one: list[float] = []
    ten: list[float] = []
    for _ in range(max(rounds // 2, 1)):
        one.append(site.timed(lambda: site.create(folder, "at-once-0")))
        site.destroy(folder, "at-once-0")
        ten.append(site.timed(lambda: _create_together(folder)))
        for number in range(_TOGETHER):
            site.destroy(folder, f"at-once-{number}")
    return [
        Row(
            what=f"{_TOGETHER} environments at once, beside one",
            ours=milliseconds(ten),
            peer=milliseconds(one),
            at_most=5,
        )
    ]


def _create_together(folder: Path) -> None:
    with ThreadPoolExecutor(max_workers=_TOGETHER) as together:
        names = [f"at-once-{number}" for number in range(_TOGETHER)]
        list(together.map(lambda name: site.create(folder, name), names))


def thirty_beside(folder: Path, rounds: int) -> list[Row]:
    """All proved, and what they need beyond the servers' own memory."""
    site.create(folder, "beside-0")
    site.destroy(folder, "beside-0")
    residents_before = _resident_bytes()
    names = [f"beside-{number}" for number in range(_BESIDE)]
    creates = [_timed_create(folder, name) for name in names]
    proofs = [_timed_proof(folder, name) for name in names]
    standing = [e for e in site.environments(folder) if e["verdict"] == "proved"]
    machines = [
        f"/{site.REGION}/{str(e['name']).replace('/', '.')}/{machine}"
        for e in standing
        for machine in e["machines"]
    ]
    inside = [_bytes_beyond_servers(cgroup) / _MIB for cgroup in machines]
    servers = sum(_pss_bytes(pid) for cgroup in machines for pid in _pids(cgroup, servers=True))
    residents = (_resident_bytes() - residents_before) / _MIB / len(machines)
    each = Sample(values=tuple(value + residents for value in inside), unit="MiB")
    for name in names:
        site.destroy(folder, name)
    return [
        Row(
            what=f"environments of three machines side by side that are proved, of {_BESIDE}",
            ours=Sample(values=(len(standing),), unit=""),
            at_least=_BESIDE,
            note=f"created one after the other: the first in {creates[0]:.2f} s, the last in "
            f"{creates[-1]:.2f} s; proved again with all there in {max(proofs):.2f} s at most; "
            f"the servers themselves hold {servers / 1024**3:.1f} GiB",
        ),
        Row(
            what="memory of a machine beyond its servers",
            ours=each,
            at_most=10,
            note="PSS of what runs in its cgroup and is no server, all kernel memory charged to "
            "its cgroup (also the servers' own), and its share of what daemon, dnsmasq and "
            f"haproxy grew by ({residents:.2f} MiB)",
        ),
    ]


def _timed_create(folder: Path, name: str) -> float:
    return site.timed(lambda: site.create(folder, name))


def _timed_proof(folder: Path, name: str) -> float:
    return site.timed(lambda: site.greenroom(folder, "flows", name))


def _bytes_beyond_servers(cgroup: str) -> int:
    others = sum(_pss_bytes(pid) for pid in _pids(cgroup, servers=False))
    return others + _kernel_bytes(cgroup)


def _pids(cgroup: str, *, servers: bool) -> Iterable[int]:
    for pid in cgroup_pids(cgroup):
        name = _comm(pid)
        if name and name.startswith(_SERVERS) is servers:
            yield pid


def _kernel_bytes(cgroup: str) -> int:
    """What the kernel holds for the cgroup: stacks, page tables, sockets, slabs."""
    for folder in cgroup_folders(cgroup):
        v1, v2 = folder / "memory.kmem.usage_in_bytes", folder / "memory.stat"
        if v1.exists():
            return int(v1.read_text())
        if v2.exists():
            stat = dict(line.split() for line in v2.read_text().splitlines())
            return int(stat["kernel"])
    raise site.BenchError(f"no memory controller knows {cgroup}")


def _resident_bytes() -> int:
    """PSS of the daemon, dnsmasq and haproxy of the bench's region."""
    daemon = json.loads(
        subprocess.run(
            ["curl", "-sS", "--unix-socket", str(site.RUN / "daemon.sock"), "http://d/v1/status"],
            capture_output=True,
            check=True,
        ).stdout
    )["pid"]
    pids = {int(daemon)}
    for file in site.RUN.rglob("*.pid"):
        pids.add(int(file.read_text().split()[0]))
    children = [_children(pid) for pid in pids]
    return sum(_pss_bytes(pid) for pid in pids.union(*children))


def _children(pid: int) -> set[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(word) for word in found}


def _pss_bytes(pid: int) -> int:
    """Its proportional share (proc(5), smaps_rollup); 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
