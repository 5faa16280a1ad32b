"""What the host lacks when an image is built or the ledger is written, told as what it is."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.app.cancellation import NeverCancelled
from greenroom.blueprint.parse import load_blueprint
from greenroom.errors import HostError, OperationError
from greenroom.model.stack import Image
from greenroom.plan.images import image_of
from greenroom.providers.local import images
from greenroom.providers.local.layout import Layout
from greenroom.region import Region
from greenroom.store.database import Database
from tests.real.crew import make_crew

LAYOUT = Layout(Region(label="nowhere"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "small", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """A recipe that nobody has built, and a cache of its own."""
    monkeypatch.setattr(images, "IMAGE_CACHE_DIR", tmp_path / "cache")
    site = make_crew(tmp_path)
    found = image_of(load_blueprint(site.folder / "greenroom.yaml"), "crew")
    return replace(found, digest="0" * 64)


def build(image: Image) -> OperationError:
    with pytest.raises(OperationError) as caught:
        images.ensure_image(LAYOUT, image, NeverCancelled())
    assert not list(images.IMAGE_CACHE_DIR.iterdir())
    return caught.value


def test_a_mirror_that_does_not_answer_is_told_as_that(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = tmp_path / "sources.list"
    sources.write_text("deb http://127.0.0.1:9/debian bookworm main\n")
    monkeypatch.setattr(images, "_SOURCES", (sources,))
    error = build(image)
    assert error.code == "E_MIRROR"
    assert error.message.startswith("image crew cannot be built: ")
    assert "127.0.0.1:9" in error.message
    assert (
        error.hint
        == f"look at the network and the mirror in {sources}, then run the same command again"
    )


def test_a_package_that_is_not_there_is_named_and_nothing_of_its_build_stays(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o1777)
    # Its user must get there.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(scratch))
    error = build(replace(image, packages=(*image.packages, "no-such-package")))
    assert (error.code, error.message, error.hint) == (
        "E_IMAGE_BUILD",
        "image crew cannot be built: E: Unable to locate package no-such-package",
        "check the packages and commands of this image in the blueprint",
    )
    assert list(scratch.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert list(processes_in(tmp_path)) == []


def processes_in(folder: Path) -> Iterator[str]:
    """Command lines that name the folder, but this test's own."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().decode(errors="replace")
            if str(folder) in words and entry.name != str(os.getpid()):
                yield words


def test_a_ledger_on_a_full_disk_is_told_as_that_and_is_whole_afterwards(small_disk: Path) -> None:
    database = Database.in_file(small_disk / "ledger.db")
    database.migrate()
    filler = small_disk / "filler"
    with (
        filler.open("wb", buffering=0) as file,
        pytest.raises(OSError, match="No space left"),
    ):
        while True:
            file.write(bytes(4096))
    with pytest.raises(HostError) as caught, database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE large (x BLOB)")
        connection.exec_driver_sql("INSERT INTO large VALUES (zeroblob(2000000))")
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "E_LEDGER_FULL",
        f"the ledger {small_disk}/ledger.db cannot be written: database or disk is full",
        f"free some space on the disk of {small_disk}/ledger.db",
    )
    filler.unlink()
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE large (x BLOB)")
    database.close()
