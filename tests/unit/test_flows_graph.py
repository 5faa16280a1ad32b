"""The drawing of the flows: groups and arrows, by verdict, in words as well as in colours."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from tests.unit import cli_values as values

from greenroom.drawing.flows import dot_source, draw, drawing_of
from greenroom.errors import HostError
from greenroom.model.proof import Reach, Verdict

if TYPE_CHECKING:
    from greenroom.cli.shapes import DetailReply, ProofReply

SVG = "{http://www.w3.org/2000/svg}"


def detail() -> DetailReply:
    found: Any = values.dumped(values.detail())
    return found


def proof(*more: Any) -> ProofReply:
    found: Any = values.dumped(
        values.proof(
            values.flow("backend1", "dns", 53, Reach.OPEN),
            values.flow("photos/other:db1", "db1", 3306, Reach.FILTERED),
            *more,
        )
    )
    return found


OPENED = values.flow("outside", "db1", 3306, Reach.OPEN, declared=False, verdict=Verdict.FAILED)
UNKNOWN = values.flow(
    "backend1", "db1", 3307, Reach.SILENT, declared=True, verdict=Verdict.NOT_VERIFIED
)


def test_groups_hold_their_members_and_arrows_what_is_declared() -> None:
    drawing = drawing_of(detail(), proof(), "proved")
    assert drawing.nodes == {
        "backend": ["backend1 10.213.0.10 (also in base)"],
        "db": ["db1 10.213.0.10 (also in base)"],
        "outside": [],
        "services of the region": [],
    }
    assert [arrow.sentence for arrow in drawing.arrows] == [
        "outside to backend: 80/tcp; declared, and proved open",
        "backend to db: 3306/tcp; declared, and proved open",
        "backend to services of the region: dns 53/tcp; declared, and proved open",
    ]
    assert "2 flows that nobody declares were probed and are closed" in drawing.description


def test_what_is_not_as_declared_has_an_arrow_of_its_own() -> None:
    drawing = drawing_of(detail(), proof(OPENED, UNKNOWN), "failed")
    sentences = [arrow.sentence for arrow in drawing.arrows]
    assert "outside to db: 3306/tcp open; failed: not as declared" in sentences
    assert "backend to db: 3307/tcp silent; not verified" in sentences


def test_a_name_cannot_break_out_of_the_drawings_language() -> None:
    drawing = drawing_of(detail(), proof(), "proved")
    drawing.nodes['a"; b -> c; "\\'] = []
    assert '"a\\"; b -> c; \\"\\\\"' in dot_source(drawing)


def test_the_svg_has_groups_arrows_title_description_and_legend() -> None:
    assert shutil.which("dot"), "graphviz is missing: run scripts/setup"
    root = ElementTree.fromstring(draw(detail(), proof(OPENED, UNKNOWN), "failed"))
    assert root.attrib["role"] == "img"
    assert (root.attrib["width"], root.get("height")) == ("100%", None)
    assert root.attrib["viewBox"].startswith("0 0 ")
    assert root.attrib["aria-labelledby"] == "title desc"
    assert root.findtext(f"{SVG}title") == "Flows of photos/feature-x"
    assert "photos/feature-x is failed" in str(root.findtext(f"{SVG}desc"))
    style = str(root.findtext(f"{SVG}style"))
    assert "prefers-color-scheme: dark" in style
    nodes = [g for g in root.iter(f"{SVG}g") if "node" in g.get("class", "").split()]
    assert {node.findtext(f"{SVG}title") for node in nodes} == {
        "backend",
        "db",
        "outside",
        "services of the region",
    }
    (db,) = [node for node in nodes if node.findtext(f"{SVG}title") == "db"]
    assert [text.text for text in db.iter(f"{SVG}text")] == ["db", "db1 10.213.0.10 (also in base)"]
    edges = [g for g in root.iter(f"{SVG}g") if "edge" in g.get("class", "").split()]
    told = {(e.get("class", "").split()[1], e.findtext(f"{SVG}title")) for e in edges}
    assert told >= {
        ("proved", "backend to db: 3306/tcp; declared, and proved open"),
        ("failed", "outside to db: 3306/tcp open; failed: not as declared"),
        ("unverified", "backend to db: 3307/tcp silent; not verified"),
    }
    (legend,) = [g for g in root.iter(f"{SVG}g") if g.get("id") == "legend"]
    assert [text.text for text in legend.iter(f"{SVG}text")] == [
        "declared, and proved open",
        "failed: not as declared",
        "not verified",
    ]


def test_without_graphviz_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(HostError) as raised:
        draw(detail(), proof(), "proved")
    assert raised.value.code == "E_NO_PROGRAM"
    assert raised.value.hint == "apt-get install -y --no-install-recommends graphviz"
