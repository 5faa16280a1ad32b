"""The flows of a proof as a matrix: from each source, down, to each target's port, across.

Ports that were only sampled and are all closed, as they should be, are counted below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from greenroom.cli.terminal import Paint, style_of
from greenroom.cli.text import clean, count, pad, width
from greenroom.cli.verdict import NOT_VERIFIED, PROVED

if TYPE_CHECKING:
    from greenroom.cli.shapes import FlowReply

LEGEND = "● declared   · not declared   ! failed   ? not verified"
_GAP = "  "


def matrix_lines(flows: Sequence[FlowReply], columns: int, paint: Paint) -> Iterator[str]:
    """The matrix, in as many blocks as ``columns`` of width ask for, without empty rows."""
    shown = {target_of(flow) for flow in flows if not _is_quiet(flow)}
    quiet = sum(target_of(flow) not in shown for flow in flows)
    flows = [flow for flow in flows if target_of(flow) in shown]
    sources = list(dict.fromkeys(clean(flow["source"]) for flow in flows))
    targets = list(dict.fromkeys(target_of(flow) for flow in flows))
    cells = {(clean(flow["source"]), target_of(flow)): flow for flow in flows}
    first = max((width(source) for source in sources), default=0)
    widths = {target: _column_width(target, flows) for target in targets}
    for block in _blocks(targets, widths, columns - first):
        head = _GAP.join(pad(target, widths[target]) for target in block)
        yield paint("dim", f"{pad('', first)}{_GAP}{head}".rstrip())
        for source in sources:
            if not any((source, target) in cells for target in block):
                # Between environments a few pairs are sampled: most rows would be empty here.
                continue
            row = (_cell(cells.get((source, target)), widths[target], paint) for target in block)
            yield f"{pad(source, first)}{_GAP}{_GAP.join(row)}".rstrip()
        yield ""
    yield paint("dim", LEGEND)
    if quiet:
        yield paint("dim", f"and {count(quiet, 'flow')} to sampled ports: closed, not declared")


def target_of(flow: FlowReply) -> str:
    """``db1:3306``; the protocol is said where it is not TCP."""
    suffix = "" if flow["protocol"] == "tcp" else f"/{clean(flow['protocol'])}"
    return f"{clean(flow['target'])}:{flow['port']}{suffix}"


def _is_quiet(flow: FlowReply) -> bool:
    return (
        flow["chosen"] == "sample"
        and not flow["declared"]
        and flow["reach"] == "filtered"
        and flow["verdict"] == PROVED
    )


def _column_width(target: str, flows: Sequence[FlowReply]) -> int:
    return max(width(target), *(width(_text(f)) for f in flows if target_of(f) == target))


def _text(flow: FlowReply) -> str:
    mark = {PROVED: "", NOT_VERIFIED: " ?"}.get(flow["verdict"], " !")
    return f"{'●' if flow['declared'] else '·'} {clean(flow['reach'])}{mark}"


def _cell(flow: FlowReply | None, columns: int, paint: Paint) -> str:
    if flow is None:
        return " " * columns
    style = style_of(flow["verdict"])
    if style == "good" and not flow["declared"]:
        style = "dim"
    return paint(style, pad(_text(flow), columns))


def _blocks(targets: Sequence[str], widths: dict[str, int], columns: int) -> Iterator[list[str]]:
    block: list[str] = []
    used = 0
    for target in targets:
        needed = widths[target] + len(_GAP)
        if block and used + needed > columns:
            yield block
            block, used = [], 0
        block.append(target)
        used += needed
    if block:
        yield block
