"""The site that is measured: the photo feed in a region of the bench's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from greenroom.providers.local.cgroups import cgroup_folders

ROOT = Path(__file__).resolve().parents[1]
# The bench borrows a simulated host and an AWS account from the tests.
sys.path.insert(0, str(ROOT))
EXAMPLE = ROOT / "examples" / "photos"
LABEL = "bench"
REGION = f"greenroom-{LABEL}"
STATE = Path("/var/lib") / REGION
POOL = STATE / "pool"
RUN = Path("/run") / REGION
CIDR = "10.226.0.0/16"
MACHINES = ("backend", "db", "feed")
ENVIRONMENT = {
    **os.environ,
    "GREENROOM_REGION": LABEL,
    "GREENROOM_CIDR": CIDR,
    "GREENROOM_PORT": "18126",
    "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
}
# Byte code is what every user has from the second call on.
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)
GREENROOM = str(Path(sys.executable).with_name("greenroom"))


class BenchError(Exception):
    """A measurement that could not be made; the message says why and what to do."""


def make_site(folder: Path, data: Path | None = None) -> None:
    """The example with its artifacts, and with ``data`` or the example's own."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("artifacts", "data"))
    subprocess.run([sys.executable, "make_artifacts.py"], cwd=folder, check=True, stdout=2)
    if data is not None:
        (folder / "data").symlink_to(data)
        return
    # The same bytes each time, so what is there already saves the making of them.
    if (EXAMPLE / "data").is_dir():
        shutil.copytree(EXAMPLE / "data", folder / "data")
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True, stdout=2)


def greenroom(folder: Path, *words: str) -> str:
    """What the command line, as installed beside this interpreter, prints; raises BenchError."""
    argv = [GREENROOM, *words]
    done = subprocess.run(
        argv, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchError(f"greenroom {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def create(folder: Path, branch: str, *, source: str = "extract") -> str:
    """The create that is measured."""
    words = ["create", "--machines", *MACHINES, "--restore_db", source, "--branch", branch]
    done = greenroom(folder, *words)
    favour(f"/{REGION}")
    return done


def destroy(folder: Path, branch: str) -> str:
    """Its end, to the receipt."""
    return greenroom(folder, "destroy", branch)


def environments(folder: Path) -> list[dict[str, Any]]:
    """What ``greenroom list`` knows."""
    found = json.loads(greenroom(folder, "list", "--json"))
    rows: list[dict[str, Any]] = found["environments"] if isinstance(found, dict) else found
    return rows


def stop(folder: Path) -> None:
    """End the daemon; with no environment left, its region goes as well."""
    greenroom(folder, "serve", "--stop")


def clear(folder: Path) -> None:
    """Destroy everything in the bench's region and remove what it kept."""
    for environment in environments(folder):
        greenroom(folder, "destroy", str(environment["name"]))
    stop(folder)
    for place in (STATE, RUN):
        shutil.rmtree(place, ignore_errors=True)


def images() -> list[tuple[Path, str]]:
    """The images of the site in the bench's pool: the record of each, and its name."""
    found = [(r, json.loads(r.read_text())["name"]) for r in (POOL / "images").glob("*/image.json")]
    if not found:
        raise BenchError("the pool has no images: a create makes them")
    return sorted(found)


def image_root(name: str) -> Path:
    """The root filesystem of an image in the bench's pool."""
    return next(record.parent / "root" for record, known in images() if known == name)


def golden_volume() -> Path:
    """The newest golden volume in the bench's pool."""
    found = sorted((POOL / "goldens").glob("[!.]*/volume"), key=lambda p: p.parent.stat().st_mtime)
    if not found:
        raise BenchError("the pool has no golden volume: a create makes it")
    return found[-1]


def favour(cgroup: str) -> None:
    """Give what runs in a cgroup the processor before others, as ``nice`` does for processes that
    are in none. Machines and peers alike: what else the host does disturbs both as little."""
    for folder in cgroup_folders(cgroup):
        for file, value in (("cpu.shares", "262144"), ("cpu.weight", "10000")):
            if (folder / file).exists():
                (folder / file).write_text(value)


def clone(source: Path, target: Path) -> None:
    """A copy that shares its blocks: what a machine's own volume is."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def disk_bytes(folder: Path) -> int:
    """What its files hold of the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    started = time.monotonic()
    work()
    return time.monotonic() - started
