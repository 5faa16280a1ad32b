"""Draws a recorded create as SVG: the critical path on top, below it who did what meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from critical_path import Leg, Run, Span

_WIDTH = 1500
_LEFT = 150
_ROW = 15
_GAP = 10
_CHARACTER = 5.6
_SHORTEST_DRAWN_S = 0.001
_DEPTH_OF_OTHERS = 3
_LEG_COLOURS = ("#b5413a", "#d98a3d")
_COLOURS = {"call": "#8fb3d9", "process": "#a8cfa0", "wait": "#e3e3e3"}

_Scale = Callable[[float], float]
"""From a moment to its place across the picture."""


@dataclass(frozen=True, slots=True)
class _Bar:
    start: float
    end: float
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Lane:
    title: str
    rows: list[list[_Bar]]


def draw(run: Run, path: Sequence[Leg]) -> str:
    """The whole picture."""
    scale = (_WIDTH - _LEFT - 20) / (run.end - run.start)

    def x(at: float) -> float:
        return _LEFT + (min(max(at, run.start), run.end) - run.start) * scale

    parts: list[str] = []
    top = _critical(parts, path, x)
    for lane in [_command_line(run), *_threads(run), *_machines(run)]:
        top = _lane(parts, lane, top, x)
    ruler = list(_ruler(run, x, top))
    return "\n".join([*_head(run, top + 20), *ruler, *parts, "</svg>\n"])


def _head(run: Run, height: float) -> Iterable[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" font-family="sans-serif" font-size="10">'
    )
    yield f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#fff"/>'
    milliseconds = (run.end - run.start) * 1000
    yield (
        f'<text x="10" y="20" font-size="14" font-weight="bold">A warm create of backend, db and '
        f"feed, proved after {milliseconds:.0f} ms: the critical path, and who did what</text>"
    )


def _critical(parts: list[str], path: Sequence[Leg], x: _Scale) -> float:
    """The legs as a band, each with a line of the legend below it."""
    top = 34.0
    legend = top + 26
    for number, leg in enumerate(path):
        left, right = x(leg.start), x(leg.end)
        colour = _LEG_COLOURS[number % 2]
        parts.append(
            f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 0.5):.1f}" height="18" '
            f'fill="{colour}"/>'
        )
        if right - left > 14:
            parts.append(
                f'<text x="{(left + right) / 2:.1f}" y="{top + 13}" text-anchor="middle" '
                f'fill="#fff">{number + 1}</text>'
            )
        column, row = number % 3, number // 3
        milliseconds = (leg.end - leg.start) * 1000
        parts.append(
            f'<text x="{_LEFT + column * 440}" y="{legend + 10 + row * 14:.0f}">{number + 1}  '
            f'{escape(leg.what)} <tspan font-weight="bold">{milliseconds:.1f} ms</tspan></text>'
        )
    parts.append(f'<text x="10" y="{top + 13}" font-weight="bold">critical path</text>')
    return legend + 14 * ((len(path) + 2) // 3) + 2 * _GAP


def _lane(parts: list[str], lane: _Lane, top: float, x: _Scale) -> float:
    height = _ROW * len(lane.rows)
    parts.append(f'<text x="10" y="{top + 11:.0f}" font-weight="bold">{escape(lane.title)}</text>')
    parts.append(
        f'<line x1="10" x2="{_WIDTH - 10}" y1="{top - 4:.0f}" y2="{top - 4:.0f}" stroke="#ddd"/>'
    )
    for number, row in enumerate(lane.rows):
        for bar in row:
            left, right = x(bar.start), x(bar.end)
            y = top + number * _ROW
            milliseconds = (bar.end - bar.start) * 1000
            text = escape(bar.text)
            parts.append(
                f'<g><title>{text}: {milliseconds:.1f} ms</title><rect x="{left:.1f}" y="{y:.0f}" '
                f'width="{max(right - left, 0.7):.1f}" height="{_ROW - 2}" '
                f'fill="{_COLOURS[bar.kind]}"/>'
            )
            fits = int((right - left - 2) / _CHARACTER)
            if fits >= 3:
                label = f"{bar.text} {milliseconds:.0f}"
                shown = escape(label if len(label) <= fits else bar.text[:fits])
                parts.append(f'<text x="{left + 2:.1f}" y="{y + 10:.0f}">{shown}</text>')
            parts.append("</g>")
    return top + height + _GAP


def _ruler(run: Run, x: _Scale, bottom: float) -> Iterable[str]:
    milliseconds = 0
    while run.start + milliseconds / 1000 < run.end:
        at = x(run.start + milliseconds / 1000)
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="30" y2="{bottom:.0f}" stroke="#eee"/>'
        yield f'<text x="{at:.1f}" y="30" fill="#888" text-anchor="middle">{milliseconds} ms</text>'
        milliseconds += 50


def _command_line(run: Run) -> _Lane:
    return _Lane("greenroom create", [[_Bar(run.start, run.end, "start to end", "wait")]])


def _threads(run: Run) -> Iterable[_Lane]:
    """The operation's own thread, nested as its calls were, and what all others did beside it."""
    by_thread: dict[int, list[Span]] = {}
    for span in run.spans:
        if span.end - span.start >= _SHORTEST_DRAWN_S and span.start >= run.start:
            by_thread.setdefault(span.thread, []).append(span)
    others: list[_Bar] = []
    for spans in by_thread.values():
        nested = _nested(spans)
        if any("run_create" in bar.text for row in nested for bar in row):
            yield _Lane("the operation", nested)
        else:
            others += [bar for row in nested[:_DEPTH_OF_OTHERS] for bar in row]
    yield _Lane("the daemon's others", _packed(others))


def _nested(spans: Sequence[Span]) -> list[list[_Bar]]:
    """A row per depth; a call that does little but make one other is left out."""
    rows: list[list[_Bar]] = []
    open_until: list[float] = []
    ordered = sorted(spans, key=lambda s: (s.start, -s.end))
    for span, following in zip(ordered, [*ordered[1:], None], strict=True):
        while open_until and open_until[-1] <= span.start + 1e-6:
            open_until.pop()
        length = span.end - span.start
        if following is not None and following.end <= span.end:
            inner = following.end - following.start
            if length - inner < min(_SHORTEST_DRAWN_S, length * 0.1) and open_until:
                continue
        depth = len(open_until)
        open_until.append(span.end)
        if len(rows) <= depth:
            rows.append([])
        name = span.name.rpartition(".")[2].strip("_")
        rows[depth].append(_Bar(span.start, span.end, f"{name} {span.about}".strip(), "call"))
    return rows


def _machines(run: Run) -> Iterable[_Lane]:
    """A lane per machine: each process, from what it executes to its end."""
    by_machine: dict[str, list[_Bar]] = {}
    for process in run.processes:
        machine = run.machine_of(process)
        if machine is None:
            continue
        steps = [*process.execs, (process.ended or run.end, "")]
        for (start, line), (end, _) in pairwise(steps):
            by_machine.setdefault(machine, []).append(_Bar(start, end, _short(line), "process"))
    for machine in sorted(by_machine):
        yield _Lane(machine, _packed(by_machine[machine]))


def _short(line: str) -> str:
    words = [word.rpartition("/")[2] for word in line.split() if not word.startswith("-")]
    return " ".join(words)[:60] or "?"


def _packed(bars: Sequence[_Bar]) -> list[list[_Bar]]:
    """Bars in as few rows as possible, none over another."""
    rows: list[list[_Bar]] = []
    for bar in sorted(bars, key=lambda b: (b.start, -b.end)):
        for row in rows:
            if row[-1].end <= bar.start:
                row.append(bar)
                break
        else:
            rows.append([bar])
    return rows
