"""Images: a recipe becomes a root filesystem once, is cached as an archive, and is unpacked
into the pool, where it is the lower layer of every machine that boots it.

An image is addressed by the digest of its recipe, so a changed recipe is another image.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from greenroom.errors import CancelledError, OperationError
from greenroom.model.stack import Image, Service
from greenroom.model.views import BuiltImage
from greenroom.ports import Cancellation
from greenroom.providers.local.command import NO_SPACE, end_group, run, run_cancellable
from greenroom.providers.local.layout import IMAGE_CACHE_DIR, Layout

_BUILD_TIMEOUT_S = 1200
_USUAL_BYTES = 512 * 1024**2
_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
_NO_MIRROR = ("Could not connect to", "Could not resolve", "Temporary failure resolving")
"""What apt says of a mirror that is not there."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SERVICE_DIR = "etc/greenroom/service"
_MARKER = "etc/greenroom/image"
"""Tells the agent which image it runs in, so that it does not make one itself, as on a bare
instance of AWS. Not in the archive: archives of before are as good."""
_BUILD_SCRIPT = "greenroom-build.sh"
_UNWANTED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def root_of(layout: Layout, digest: str) -> Path:
    """The image's root filesystem in the pool."""
    return layout.images / digest / "root"


def ensure_image(layout: Layout, image: Image, cancel: Cancellation) -> bool:
    """Make the image available in the pool; True if it had to be built from packages.

    Raises OperationError (E_IMAGE_BUILD) with the last lines of the build.
    """
    if (layout.images / image.digest / "image.json").exists():
        return False
    archive = IMAGE_CACHE_DIR / f"{image.digest}.tar"
    missing = not archive.exists()
    if missing:
        cancel.check()
        _build(image, archive, cancel)
    cancel.check()
    _unpack(layout, image, archive)
    return missing


def bytes_to_unpack(layout: Layout, image: Image) -> int:
    """What the image will add to the pool: nothing if it is there; as much as most if it has yet
    to be built."""
    if (layout.images / image.digest / "image.json").exists():
        return 0
    try:
        return (IMAGE_CACHE_DIR / f"{image.digest}.tar").stat().st_size
    except FileNotFoundError:
        return _USUAL_BYTES


def list_images(layout: Layout) -> tuple[BuiltImage, ...]:
    """The images in the pool, by name."""
    found = []
    for record in sorted(layout.images.glob("*/image.json")):
        entry = json.loads(record.read_text())
        found.append(
            BuiltImage(
                name=entry["name"],
                digest=record.parent.name,
                bytes=entry["bytes"],
                built_at=datetime.fromisoformat(entry["built_at"]),
            )
        )
    return tuple(sorted(found, key=lambda image: image.name))


def clear_unfinished() -> None:
    """End the builds whose daemon died, and remove what they made. Other regions may be building
    now."""
    for scratch in IMAGE_CACHE_DIR.glob("*.partial"):
        builder = scratch.suffixes[-2].removeprefix(".")
        if not _lives(builder):
            for group in _build_groups(scratch):
                end_group(group)
            # Another region that starts now may be removing it as well.
            shutil.rmtree(scratch, ignore_errors=True)


def _lives(pid: str) -> bool:
    """Whether there is such a process; a zombie has no command line any more."""
    try:
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def _build_groups(scratch: Path) -> set[int]:
    """The process groups of mmdebstrap in ``scratch``: it outlives a daemon that is killed, and
    leaves its own clearing up to its children."""
    groups = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"/usr/bin/mmdebstrap" in words and any(bytes(scratch) in word for word in words):
                groups.add(os.getpgid(int(entry.name)))
    return groups


def remove_image(layout: Layout, digest: str) -> bool:
    """Remove an image and its archive; False if there is none of that digest."""
    if not _DIGEST.fullmatch(digest):
        # Whatever else it is would be taken for a path.
        return False
    folder = layout.images / digest
    archive = IMAGE_CACHE_DIR / f"{digest}.tar"
    known = folder.exists() or archive.exists()
    if folder.exists():
        # Renamed first: a removal that is cut off leaves no half image under a good name.
        doomed = folder.rename(layout.images / f".{digest}.removed")
        shutil.rmtree(doomed)
    archive.unlink(missing_ok=True)
    return known


def bootstrap_argv(image: Image, overlay: Path, archive: Path) -> list[str]:
    """mmdebstrap's command line; see mmdebstrap(1)."""
    argv = ["mmdebstrap", "--variant=minbase", "--format=tar"]
    argv += [f"--include={','.join(image.packages)}"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in _UNWANTED]
    argv += [f"--customize-hook=sync-in {overlay} /"]
    argv += [f'--customize-hook=chroot "$1" sh -eu /{_BUILD_SCRIPT}']
    argv += [f'--customize-hook=rm "$1"/{_BUILD_SCRIPT}']
    argv += ['--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*']
    argv += [image.suite, str(archive)]
    return argv + [str(source) for source in _SOURCES if source.exists()]


def _build(image: Image, archive: Path, cancel: Cancellation) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    # Our process id in its name tells whose it is, should we be killed.
    scratch = archive.with_suffix(f".{os.getpid()}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        write_overlay(image, scratch / "overlay")
        argv = bootstrap_argv(image, scratch / "overlay", scratch / archive.name)
        run_cancellable(argv, timeout_s=_BUILD_TIMEOUT_S, cancel=cancel)
        (scratch / archive.name).rename(archive)
    except OperationError as error:
        if isinstance(error, CancelledError):
            raise
        raise _build_error(image, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _build_error(image: Image, error: OperationError) -> OperationError:
    """What failed, with the step that helps: only the last of these is the blueprint's fault."""
    reason = _reason(error.message)
    if error.code == NO_SPACE:
        code = NO_SPACE
        hint = f"free some space in {tempfile.gettempdir()} and {IMAGE_CACHE_DIR}"
    elif any(words in error.message for words in _NO_MIRROR):
        code = "E_MIRROR"
        sources = " or ".join(str(source) for source in _SOURCES)
        hint = f"look at the network and the mirror in {sources}, then run the same command again"
    else:
        code, hint = (
            "E_IMAGE_BUILD",
            "check the packages and commands of this image in the blueprint",
        )
    return OperationError(code, f"image {image.name} cannot be built: {reason}", hint=hint)


def _reason(output: str) -> str:
    """What went wrong in a build, out of its last lines: apt's and dpkg's own words.

    What mmdebstrap adds of itself is a command line of a thousand characters, and no news.
    """
    lines = [line.strip() for line in output.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("I: ", "E: setup failed"))]
    errors = [line for line in lines if line.startswith("E: ") and "mmdebstrap" not in line]
    return " / ".join(line[:300] for line in (errors or lines)[-4:])


def write_overlay(image: Image, overlay: Path) -> None:
    """What the image holds beside its packages: files and services."""
    for file in image.files:
        _write(overlay / file.path.lstrip("/"), file.content, file.mode)
    _write(overlay / _BUILD_SCRIPT, "\n".join(["set -eu", *image.commands, ""]), 0o755)
    (overlay / _SERVICE_DIR).mkdir(parents=True, exist_ok=True)
    for service in image.services:
        _write_service(overlay / _SERVICE_DIR / service.name, service)
        # s6-supervise leaves a service with this file alone until somebody says `s6-svc -u`.
        _write(overlay / _SERVICE_DIR / service.name / "down", "", 0o644)


def _write_service(folder: Path, service: Service) -> None:
    _write(folder / "run", f"#!/bin/sh\nexec 2>&1\n{service.command}\n", 0o755)
    logger = f"#!/bin/sh\nexec s6-log -b n4 s1000000 /var/log/greenroom/{service.name}\n"
    _write(folder / "log" / "run", logger, 0o755)


def _write(path: Path, content: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def _unpack(layout: Layout, image: Image, archive: Path) -> None:
    partial = layout.images / f".{image.digest}.{time.time_ns()}"
    (partial / "root").mkdir(parents=True)
    try:
        argv = ["tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*"]
        run([*argv, "-f", str(archive), "-C", str(partial / "root")], timeout_s=300)
        _write(partial / "root" / _MARKER, f"{image.digest}\n", 0o644)
        record = {
            "name": image.name,
            "bytes": archive.stat().st_size,
            "built_at": datetime.fromtimestamp(archive.stat().st_mtime, UTC).isoformat(),
        }
        (partial / "image.json").write_text(json.dumps(record))
        partial.rename(layout.images / image.digest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
