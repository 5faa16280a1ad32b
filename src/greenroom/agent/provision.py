"""A bare Debian becomes the image that its recipe describes, as the local builder would make it.

Each step may be done again: a boot that was cut off begins anew and finds what it left. The marker
is written last, so what bears it is whole.
"""

from __future__ import annotations

import os
import time

from .command import run
from .errors import AgentError
from .facts import read_file, write_file
from .quick_json import dumps, loads
from .recipe import fetch_recipe
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .account import Account
    from .aws_config import Aws
    from .paths import Paths
    from .progress import Progress
    from .recipe import Recipe, Service

MARKER = "/etc/greenroom/image"
"""Holds the digest of the image that this machine is; the local builder writes it too."""

STARTED = "/etc/greenroom/image.enabled-before"
"""What the distribution had enabled before the first package came."""

LONG_S = 6 * 3600.0
"""No limit of its own: the boot's deadline interrupts what takes too long, with its name."""

FILESYSTEM_PACKAGES = ("xfsprogs",)
"""What a data volume needs beside the image."""

NO_STARTS = "/usr/sbin/policy-rc.d"
NO_STARTS_SCRIPT = "#!/bin/sh\n# Written by greenroom while it installs packages.\nexit 101\n"
"""Keeps packages from starting their services (Debian's invoke-rc.d(8)): ours are under s6."""

ENABLED_BELOW = ("/etc/systemd/system", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d")

APT = (
    "env",
    "DEBIAN_FRONTEND=noninteractive",
    "LC_ALL=C.UTF-8",
    "apt-get",
    "-qy",
    "--option=APT::Install-Recommends=false",
    "--option=APT::Update::Error-Mode=any",
    "--option=Acquire::Retries=3",
    "--option=DPkg::Lock::Timeout=300",
    "--option=DPkg::Options::=--force-confdef",
    "--option=DPkg::Options::=--force-confold",
)
"""Without recommended packages, as mmdebstrap installs. A mirror that fails is a failure, not a
warning. At its first boot an instance may be busy with updates of its own, hence the wait."""

UPDATE_PAUSES_S = (1.0, 5.0, 15.0, 30.0)


def provision(aws: Aws, account: Account, paths: Paths, progress: Progress) -> bool:
    """Make the image unless this machine is it already, which needs no request; whether it was
    made. Raises AgentError with the last words of whatever failed."""
    if read_file(paths.at(MARKER)).strip() == aws.image.digest:
        return False
    started = time.monotonic()
    progress.doing("image: fetching its recipe")
    recipe = fetch_recipe(aws.image, account)
    extra = FILESYSTEM_PACKAGES if aws.data_volume else ()
    _install((*recipe.packages, *extra), paths, progress)
    progress.doing("image: writing its files and services")
    write_image_files(recipe, paths)
    _run_commands(recipe.commands, progress)
    write_file(paths.at(MARKER), f"{recipe.digest}\n")
    if os.path.exists(paths.at(STARTED)):
        os.unlink(paths.at(STARTED))
    seconds = time.monotonic() - started
    progress.notice(f"made its image of {len(recipe.packages)} packages in {seconds:.0f} s")
    return True


def _install(packages: Sequence[str], paths: Paths, progress: Progress) -> None:
    before = _enabled_before(paths)
    former = read_file(paths.at(NO_STARTS))
    write_file(paths.at(NO_STARTS), NO_STARTS_SCRIPT, mode=0o755)
    try:
        # A boot that was cut off in the middle of a package leaves it half configured.
        _must(["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--configure", "-a"])
        progress.doing("image: fetching the lists of packages")
        _update()
        progress.doing(f"image: installing {len(packages)} packages")
        _must([*APT, "install", *packages])
    finally:
        if former in ("", NO_STARTS_SCRIPT):
            os.unlink(paths.at(NO_STARTS))
        else:
            write_file(paths.at(NO_STARTS), former, mode=0o755)
    _disable(enabled(paths) - before, paths)


def _update() -> None:
    """apt-get update waits for no lock, and a mirror may be away for a moment."""
    for pause_s in UPDATE_PAUSES_S:
        if run([*APT, "update"], timeout_s=LONG_S).code == 0:
            return
        time.sleep(pause_s)
    _must([*APT, "update"])


def _must(argv: Sequence[str]) -> None:
    done = run(argv, timeout_s=LONG_S)
    if done.code != 0:
        shown = " ".join(word for word in argv[:40] if "=" not in word and word != "env")
        raise AgentError(f"image: {shown} failed ({done.code}): {last_words(done.err, done.out)}")


def last_words(err: str, out: str) -> str:
    """What apt and dpkg call errors, or else the last lines (pure)."""
    lines = [line.strip() for line in (err + "\n" + out).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E: ", "dpkg: error"))]
    return " / ".join(line[:300] for line in (errors[-4:] or lines[-4:])) or "it said nothing"


def _enabled_before(paths: Paths) -> set[str]:
    """What was enabled before the first try, also after one that was cut off."""
    kept = read_file(paths.at(STARTED))
    if kept:
        found = loads(kept)
        return {str(name) for name in found} if isinstance(found, list) else set()
    now = enabled(paths)
    write_file(paths.at(STARTED), dumps(sorted(now)) + "\n")
    return now


def enabled(paths: Paths) -> set[str]:
    """The links by which systemd and init start something at boot."""
    found = set()
    for base in ENABLED_BELOW:
        for folder, folders, files in os.walk(paths.at(base)):
            for name in (*folders, *files):
                path = f"{folder}/{name}"
                if os.path.islink(path) and _starts(path):
                    found.add(path[len(paths.root) :])
    return found


def _starts(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    if "/etc/rc" in folder:
        return name.startswith("S")
    # The last is a unit's other name, which goes when it is disabled.
    return folder.endswith((".wants", ".requires", ENABLED_BELOW[0]))


def _disable(links: set[str], paths: Paths) -> None:
    """Services of these packages run under s6 or not at all: at a reboot as well.

    A removed link is how an administrator disables a unit, which deb-systemd-helper(1) respects
    at upgrades; a script of init has a letter for it.
    """
    for link in sorted(links):
        folder, _, name = paths.at(link).rpartition("/")
        if "/etc/rc" in folder:
            os.rename(f"{folder}/{name}", f"{folder}/K01{name[3:]}")
        else:
            os.unlink(f"{folder}/{name}")


def write_image_files(recipe: Recipe, paths: Paths) -> None:
    """The recipe's files and s6's service directories, as the local builder lays them out."""
    for file in recipe.files:
        write_file(paths.at(file.path), file.content, mode=file.mode)
    os.makedirs(paths.services, exist_ok=True)
    for service in recipe.services:
        _write_service(f"{paths.services}/{service.name}", service)


def _write_service(folder: str, service: Service) -> None:
    # s6-supervise leaves a service with this file alone until somebody asks for it; so it comes
    # first, should s6 be looking already.
    write_file(f"{folder}/down", "")
    logger = f"#!/bin/sh\nexec s6-log -b n4 s1000000 /var/log/greenroom/{service.name}\n"
    write_file(f"{folder}/log/run", logger, mode=0o755)
    write_file(f"{folder}/run", f"#!/bin/sh\nexec 2>&1\n{service.command}\n", mode=0o755)


def _run_commands(commands: Sequence[str], progress: Progress) -> None:
    """All of them in one shell, as the local builder runs them."""
    if not commands:
        return
    progress.doing(f"image: running {len(commands)} commands")
    done = run(["sh", "-eu", "-c", "\n".join(commands)], timeout_s=LONG_S)
    if done.code != 0:
        said = last_words(done.err, done.out)
        raise AgentError(f"image: one of its commands exited with {done.code}: {said}")
