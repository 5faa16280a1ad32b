"""What the examples promise of themselves, as far as no machine is needed to see it."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from greenroom.blueprint.parse import parse_blueprint
from greenroom.plan.images import image_of

EXAMPLES = Path(__file__).parents[2] / "examples"


def digest(example: str, image: str) -> str:
    path = EXAMPLES / example / "greenroom.yaml"
    return image_of(parse_blueprint(path.read_text(), path), image).digest


@pytest.mark.parametrize(
    ("example", "image"),
    [
        ("cluster", "web"),
        ("eyeem", "mariadb"),
        ("wordpress", "mariadb"),
        ("wordpress", "redis"),
    ],
)
def test_an_image_that_examples_share_is_built_once(example: str, image: str) -> None:
    assert digest(example, image) == digest("photos", image)


def test_packing_the_same_files_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, text in ((first, "old"), (second, "new")):
        (folder / "public").mkdir(parents=True)
        (folder / "public" / "page").write_text(text)
    (first / "kept").write_text("kept")
    archives = [tmp_path / f"{name}.tar.gz" for name in ("a", "b")]
    for archive in archives:
        subprocess.run([EXAMPLES / "pack", archive, first, second], check=True, timeout=30)
        sums = ["sha256sum", "--check", "--quiet", f"{archive.name}.sha256"]
        subprocess.run(sums, cwd=tmp_path, check=True, timeout=30)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(archives[0]) as tar:
        content = {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}
    assert content == {"./kept": b"kept", "./public/page": b"new"}
