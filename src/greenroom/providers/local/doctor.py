"""What this host lacks, and the command that mends each lack."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from greenroom.errors import GreenroomError, HostError
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.network import refuse_used_addresses
from greenroom.region import Region

_PROGRAMS = {
    "crun": "crun",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
    "haproxy": "haproxy",
    "mmdebstrap": "mmdebstrap",
    "mkfs.xfs": "xfsprogs",
    "ip": "iproute2",
    "unshare": "util-linux",
    "tar": "tar",
}
"""Program to Debian package."""

_KERNEL_FILES = {
    "network namespaces": "/proc/self/ns/net",
    "user namespaces": "/proc/self/ns/user",
    "seccomp": "/proc/sys/kernel/seccomp",
    "cgroups": "/sys/fs/cgroup",
}
_KERNEL_MINIMUM = (5, 19)
"""Overlayfs on an idmapped lower layer: Linux 5.19."""
_SPACE = "space"
_SPACE_GIB = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; ``mend`` is the command that helps, empty when ``ok``."""

    name: str
    ok: bool
    message: str
    mend: str = ""


def diagnose(region: Region) -> tuple[Finding, ...]:
    """Look at everything that the local provider needs; changes nothing."""
    return (
        _root(),
        *(_program(name, package) for name, package in _PROGRAMS.items()),
        _kernel(),
        *(_kernel_file(name, path) for name, path in _KERNEL_FILES.items()),
        _space(region),
        _addresses(region),
    )


def page_port(region: Region) -> Finding:
    """Whether API and page can answer by TCP. Not part of ``diagnose``: machines run without."""
    port = region.web_port
    inodes = _listening_inodes(port)
    if not inodes:
        return Finding(name="page", ok=True, message=f"port {port} is free for the page")
    if inodes & _daemon_inodes(region):
        return Finding(name="page", ok=True, message=f"http://127.0.0.1:{port} is served")
    if os.geteuid() != 0:
        # The kernel tells root alone which process has a socket.
        return Finding(name="page", ok=True, message=f"port {port} is taken; root can tell by whom")
    return Finding(
        name="page",
        ok=False,
        message=f"port {port}, where the page would be, is somebody else's",
        mend="export GREENROOM_WEB_PORT=PORT with a free one, then greenroom serve --stop",
    )


def require_ready(region: Region) -> None:
    """Raises HostError (E_HOST) that names every lack and its mend.

    Room is asked for only where there is no pool yet: what stands on one must come back, and be
    destroyed, on a full disk too.
    """
    found = [each for each in diagnose(region) if not each.ok]
    lacks = [each for each in found if each.name != _SPACE or not _has_pool(region)]
    if lacks:
        raise HostError(
            "E_HOST",
            "this host cannot run machines: " + "; ".join(f.message for f in lacks),
            hint=" && ".join(dict.fromkeys(f.mend for f in lacks if f.mend)),
        )


def search_path() -> str:
    """PATH with the system's folders in it, which a plain `su` leaves out."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"


def _root() -> Finding:
    if os.geteuid() == 0:
        return Finding(name="root", ok=True, message="running as root")
    message = f"greenroom needs root, this is uid {os.geteuid()}"
    return Finding(name="root", ok=False, message=message, mend="run it with sudo")


def _program(name: str, package: str) -> Finding:
    found = shutil.which(name, path=search_path())
    if found:
        return Finding(name=name, ok=True, message=found)
    return Finding(
        name=name,
        ok=False,
        message=f"the program {name} is missing",
        mend=f"apt-get install -y --no-install-recommends {package}",
    )


def _kernel() -> Finding:
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2])
    wanted = ".".join(map(str, _KERNEL_MINIMUM))
    if numbers >= _KERNEL_MINIMUM:
        return Finding(name="kernel", ok=True, message=f"Linux {release}")
    return Finding(
        name="kernel",
        ok=False,
        message=f"Linux {release} is too old: {wanted} is needed for idmapped overlays",
        mend="boot a newer kernel, e.g. Debian 12's",
    )


def _kernel_file(name: str, path: str) -> Finding:
    if Path(path).exists():
        return Finding(name=name, ok=True, message=path)
    message = f"this kernel offers no {name}: {path} is missing"
    return Finding(name=name, ok=False, message=message, mend="boot a kernel that has them")


def _space(region: Region) -> Finding:
    folder = region.state_dir if region.state_dir.exists() else Path("/var/lib")
    free_gib = shutil.disk_usage(folder).free / 1024**3
    message = f"{free_gib:.0f} GiB free in {folder}"
    if free_gib >= _SPACE_GIB:
        return Finding(name=_SPACE, ok=True, message=message)
    message += f": {_SPACE_GIB} are needed for images and data"
    return Finding(name=_SPACE, ok=False, message=message, mend=f"free some space in {folder}")


def _has_pool(region: Region) -> bool:
    """By its name alone: a pool that has failed cannot be looked at."""
    folder = region.state_dir
    return folder.exists() and Layout(region).pool in folder.iterdir()


def _addresses(region: Region) -> Finding:
    if not shutil.which("ip", path=search_path()):
        return Finding(name="addresses", ok=False, message="not verified: there is no ip program")
    try:
        refuse_used_addresses(Layout(region))
    except GreenroomError as error:
        return Finding(name="addresses", ok=False, message=error.message, mend=error.hint)
    return Finding(name="addresses", ok=True, message=f"{region.cidr} is free for greenroom")


_LISTEN = "0A"
_LOCAL_ADDRESSES = ("0100007F", "00000000")


def _listening_inodes(port: int) -> frozenset[str]:
    """The sockets that listen on the port, on the loopback or everywhere (proc(5), net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = {f"{address}:{port:04X}" for address in _LOCAL_ADDRESSES}
    return frozenset(row[9] for row in rows if row[1] in local and row[3] == _LISTEN)


def _daemon_inodes(region: Region) -> frozenset[str]:
    """The sockets that the region's daemon has open; none if it does not run."""
    try:
        pid = int((region.run_dir / "daemon.lock").read_text())
        targets = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
    except (OSError, ValueError):
        return frozenset()
    return frozenset(t.removeprefix("socket:[").rstrip("]") for t in targets)
