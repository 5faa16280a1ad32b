"""The groups of an environment and the flows between them, as an SVG.

Graphviz lays it out; the colours are ours, since a drawing has to be readable on light and on
dark, and what a colour says is also said by the line and in words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from greenroom.errors import HostError, OperationError
from greenroom.model.proof import Verdict
from greenroom.plain_text import clean, count

if TYPE_CHECKING:
    from greenroom.cli.shapes import DetailReply, FlowReply, ProofReply

_SVG = "http://www.w3.org/2000/svg"
_TIMEOUT_S = 30
_SERVICES = ("metadata", "dns", "buckets")
_CLASSES: dict[str, str] = {
    Verdict.PROVED: "proved",
    Verdict.FAILED: "failed",
    Verdict.NOT_VERIFIED: "unverified",
}
_MEANINGS = {
    "proved": "declared, and proved open",
    "failed": "failed: not as declared",
    "unverified": "not verified",
}
_LINES = {"proved": "solid", "failed": "bold", "unverified": "dashed"}
_LEGEND_LINE_PT, _LEGEND_WIDTH_PT = 18.0, 250.0
_STYLE = """
.paper { fill: #ffffff; stroke: none }
text { fill: #1b1f24; font-family: sans-serif }
.node path, .node polygon, .node ellipse { fill: #f2f4f7; stroke: #59636e }
.edge path { fill: none }
.proved path, .proved line { stroke: #1a7f37 } .proved polygon { fill: #1a7f37; stroke: #1a7f37 }
.failed path, .failed line { stroke: #cf222e } .failed polygon { fill: #cf222e; stroke: #cf222e }
.unverified path, .unverified line { stroke: #9a6700 }
.unverified polygon { fill: #9a6700; stroke: #9a6700 }
.failed line, .failed path { stroke-width: 2.5 }
.unverified line { stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117 }
  text { fill: #e6edf3 }
  .node path, .node polygon, .node ellipse { fill: #1c2129; stroke: #9198a1 }
  .proved path, .proved line { stroke: #3fb950 } .proved polygon { fill: #3fb950; stroke: #3fb950 }
  .failed path, .failed line { stroke: #ff7b72 } .failed polygon { fill: #ff7b72; stroke: #ff7b72 }
  .unverified path, .unverified line { stroke: #d29922 }
  .unverified polygon { fill: #d29922; stroke: #d29922 }
}
"""


@dataclass(frozen=True, slots=True)
class Arrow:
    """All flows from one node to another that are of one verdict."""

    source: str
    target: str
    verdict: str
    ports: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What it says, in words."""
        verdict = _MEANINGS[_CLASSES[self.verdict]]
        return f"{self.source} to {self.target}: {', '.join(self.ports)}; {verdict}"


@dataclass(slots=True)
class Drawing:
    """Nodes by name with their lines of text, and the arrows between them."""

    title: str
    description: str
    nodes: dict[str, list[str]] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)


def draw(detail: DetailReply, proof: ProofReply, verdict: str) -> str:
    """The SVG. Raises HostError (E_NO_PROGRAM) if graphviz is not installed."""
    drawing = drawing_of(detail, proof, verdict)
    return finished(laid_out(dot_source(drawing)), drawing)


def drawing_of(detail: DetailReply, proof: ProofReply, verdict: str) -> Drawing:
    """What is drawn: a node for each group that machines are made of, with its members, and for
    whatever else a declared or faulty flow leads from or to (pure)."""
    name = clean(detail["summary"]["name"])
    closed = sum(not f["declared"] and f["verdict"] == Verdict.PROVED for f in proof["flows"])
    drawing = Drawing(
        title=f"Flows of {name}",
        description=f"{name} is {verdict}. {count(closed, 'flow')} that nobody declares "
        "were probed and are closed; they are not drawn.",
    )
    group_of: dict[str, str] = {}
    for machine in detail["machines"]:
        group = group_of[machine["name"]] = clean(machine["type"])
        lines = drawing.nodes.setdefault(group, [])
        others = [clean(g) for g in machine["groups"] if g != machine["type"]]
        also = f" (also in {', '.join(others)})" if others else ""
        lines.append(f"{clean(machine['name'])} {clean(machine['address'])}{also}")
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for flow in proof["flows"]:
        if flow["declared"] or flow["verdict"] != Verdict.PROVED:
            ends = _node_of(flow["source"], group_of), _node_of(flow["target"], group_of)
            ports = found.setdefault((*ends, flow["verdict"]), {})
            ports[_port_text(flow)] = None
    for (source, target, its_verdict), ports in found.items():
        for node in (source, target):
            drawing.nodes.setdefault(node, [])
        drawing.arrows.append(Arrow(source, target, its_verdict, tuple(ports)))
    return drawing


def dot_source(drawing: Drawing) -> str:
    """The drawing in graphviz's language (graphviz.org, «The DOT Language»); pure."""
    lines = [
        "digraph flows {",
        "graph [rankdir=LR, bgcolor=transparent, pad=0.3, nodesep=0.5, ranksep=1.4];",
        'node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11, '
        "margin=0.15];",
        'edge [fontname="sans-serif", fontsize=10];',
    ]
    for name, members in drawing.nodes.items():
        label = "\n".join((name, *members))
        lines.append(f"{_quoted(name)} [label={_quoted(label)}, class=group];")
    for number, arrow in enumerate(drawing.arrows):
        kind = _CLASSES[arrow.verdict]
        label = _quoted("\n".join(arrow.ports))
        lines.append(
            f"{_quoted(arrow.source)} -> {_quoted(arrow.target)} "
            f"[id=flow{number}, class={kind}, style={_LINES[kind]}, label={label}];"
        )
    return "\n".join((*lines, "}", ""))


def finished(svg: str, drawing: Drawing, *, of_page: bool = False) -> str:
    """The layout with a title, a description, sentences for the arrows and a legend, and with our
    colours unless it is part ``of_page``, which brings its own (pure)."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)
    _, _, width, height = (float(word) for word in root.attrib["viewBox"].split())
    kinds = sorted({_CLASSES[arrow.verdict] for arrow in drawing.arrows}, key=list(_MEANINGS).index)
    full = height + _LEGEND_LINE_PT * (len(kinds) + 1)
    width = max(width, _LEGEND_WIDTH_PT)
    root.attrib.update(
        {
            "viewBox": f"0 0 {width:g} {full:g}",
            "width": "100%",
            "role": "img",
            "aria-labelledby": "title desc",
        }
    )
    # As wide as the page that shows it; its height follows from the viewBox.
    root.attrib.pop("height", None)
    head = [_element("title", drawing.title, id="title")]
    head.append(_element("desc", drawing.description, id="desc"))
    if not of_page:
        head.append(_element("style", _STYLE))
        paper = {"class": "paper", "width": f"{width:g}", "height": f"{full:g}"}
        head.append(_element("rect", **paper))
    root[:0] = head
    for number, arrow in enumerate(drawing.arrows):
        group = root.find(f".//*[@id='flow{number}']")
        assert group is not None, "graphviz keeps the ids that it is given"
        title = group.find(f"{{{_SVG}}}title")
        assert title is not None
        title.text = arrow.sentence
    root.append(_legend(kinds, height))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def laid_out(source: str) -> str:
    """What graphviz makes of a text in its language; raises HostError, OperationError."""
    from greenroom.providers.local.command import run

    try:
        return run(["dot", "-Tsvg"], timeout_s=_TIMEOUT_S, stdin=source)
    except HostError as error:
        raise HostError(
            error.code,
            "flows are drawn by graphviz, whose program dot is not installed",
            hint="apt-get install -y --no-install-recommends graphviz",
        ) from error
    except OperationError as error:
        raise OperationError(
            "E_GRAPH", f"graphviz cannot draw the flows: {error.message}"
        ) from error


def _legend(kinds: Sequence[str], top: float) -> ElementTree.Element:
    legend = _element("g", id="legend")
    for number, kind in enumerate(kinds):
        y = top + _LEGEND_LINE_PT * (number + 0.5)
        entry = ElementTree.SubElement(legend, f"{{{_SVG}}}g", {"class": kind})
        ends = {"x1": "22", "x2": "62", "y1": f"{y:g}", "y2": f"{y:g}"}
        entry.append(_element("line", **ends))
        entry.append(
            _element("text", _MEANINGS[kind], x="70", y=f"{y + 4:g}", **{"font-size": "11"})
        )
    return legend


def _element(name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    made = ElementTree.Element(f"{{{_SVG}}}{name}", attributes)
    made.text = text
    return made


def _node_of(place: str, group_of: dict[str, str]) -> str:
    """A machine's group, the region's services as one, another environment as a whole."""
    if place in group_of:
        return group_of[place]
    if place in _SERVICES:
        return "services of the region"
    return clean(place.partition(":")[0])


def _port_text(flow: FlowReply) -> str:
    port = f"{flow['port']}/{clean(flow['protocol'])}"
    if flow["target"] in _SERVICES:
        port = f"{clean(flow['target'])} {port}"
    return port if flow["verdict"] == Verdict.PROVED else f"{port} {clean(flow['reach'])}"


def _quoted(text: str) -> str:
    """A string of the DOT language: its escapes are those of JSON, as far as we need them."""
    return json.dumps(text, ensure_ascii=False)
