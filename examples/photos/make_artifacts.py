#!/usr/bin/env python3
"""Builds what the backend deploys: one archive for each branch, with its checksum beside it.

    make_artifacts.py [--out artifacts]

`app/` is branch master; `branches/NAME/` holds the files in which branch NAME differs. The same
files give the same bytes, whoever builds them and whenever.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

from photos_data.dump import replaced_atomically

HERE = Path(__file__).resolve().parent
DEFAULT_BRANCH = "master"


def main() -> int:
    """Parse the command line, build every branch."""
    parser = argparse.ArgumentParser(description="Build the photo feed's artifacts.")
    parser.add_argument("--out", type=Path, default=HERE / "artifacts", help="folder to write to")
    out: Path = parser.parse_args().out
    for branch, files in branches().items():
        content = archive(files)
        name = f"backend-{branch}.tar.gz"
        sha256 = hashlib.sha256(content).hexdigest()
        write(out / name, content)
        write(out / f"{name}.sha256", f"{sha256}  {name}\n".encode())
        print(f"make_artifacts: {name}: {len(content):,} bytes, {sha256[:12]}", file=sys.stderr)
    return 0


def branches() -> dict[str, dict[str, bytes]]:
    """The files of each branch by their path in the archive."""
    master = files_of(HERE / "app")
    found = {DEFAULT_BRANCH: master}
    for overlay in sorted((HERE / "branches").iterdir()):
        found[overlay.name] = master | files_of(overlay)
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below ``folder``."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz that holds nothing of the place, time or person that made it."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(files[name]))
    return out.getvalue()


def write(path: Path, content: bytes) -> None:
    """Replace ``path`` at once: a machine that fetches it gets the old or the new."""
    with replaced_atomically(path) as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main())
