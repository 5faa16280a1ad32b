"""What the host lacks when an image is built or the ledger is written, told as what it is."""

from __future__ import annotations

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
