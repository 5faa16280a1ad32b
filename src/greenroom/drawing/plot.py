"""Durations over time as an SVG that a page gives its colours.

The seconds have a logarithmic axis: a clone takes milliseconds and a cold restore minutes, and
both have to be read. Each series has a shape of its own, so that no colour is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

from greenroom.plain_text import clean, duration

_WIDTH, _HEIGHT = 960, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 36, 36
_SHAPES = ("circle", "triangle", "square", "diamond")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """``seconds`` is more than or equal to 0; ``words`` say of what."""

    at: datetime
    seconds: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points in the order of time."""

    name: str
    points: tuple[Point, ...]


def plot(series: Sequence[Series], title: str) -> str | None:
    """The SVG; None where there is nothing to draw (pure)."""
    points = [point for each in series for point in each.points]
    if not points:
        return None
    scale = _Scale.of(points)
    root = ElementTree.Element(
        "svg",
        {
            "viewBox": f"0 0 {_WIDTH} {_HEIGHT}",
            "width": "100%",
            "role": "img",
            "aria-labelledby": "plot-title plot-desc",
        },
    )
    _add(root, "title", text=title, id="plot-title")
    said = "; ".join(_summary(each) for each in series if each.points)
    _add(root, "desc", text=f"{said}. The table below has every value.", id="plot-desc")
    for second in scale.grid():
        y = f"{scale.y(second):.1f}"
        _add(root, "line", x1=str(_LEFT), x2=str(_WIDTH - _RIGHT), y1=y, y2=y)
        _add(root, "text", text=_tick(second), x=str(_LEFT - 8), y=y, dy="4", anchor="end")
    for x, words in scale.days():
        _add(root, "text", text=words, x=f"{x:.1f}", y=str(_HEIGHT - 12), anchor="middle")
    for number, each in enumerate(series):
        _draw(root, each, _SHAPES[number % len(_SHAPES)], scale, 16 + number * 150)
    return ElementTree.tostring(root, encoding="unicode")


@dataclass(frozen=True, slots=True)
class _Scale:
    first: datetime
    span_s: float
    low: float
    high: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Scale:
        first, last = min(p.at for p in points), max(p.at for p in points)
        exponents = [math.log10(max(point.seconds, 0.001)) for point in points]
        low, high = math.floor(min(exponents)), math.ceil(max(exponents))
        span_s = (last - first).total_seconds()
        return cls(first, span_s, low, max(high, low + 1))

    def x(self, at: datetime) -> float:
        width = _WIDTH - _LEFT - _RIGHT - 24
        share = (at - self.first).total_seconds() / self.span_s if self.span_s else 0.5
        return _LEFT + 12 + width * share

    def y(self, seconds: float) -> float:
        share = (math.log10(max(seconds, 0.001)) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    def grid(self) -> list[float]:
        return [10.0**exponent for exponent in range(int(self.low), int(self.high) + 1)]

    def days(self) -> Iterator[tuple[float, str]]:
        """Where dates stand, as many as there is room for."""
        form = "%Y-%m-%d" if self.span_s > 5 * 86400 else "%m-%d %H:%M"
        if self.span_s < 600:
            form = "%H:%M:%S"
        steps = 6 if self.span_s else 1
        for number in range(steps):
            share = number / (steps - 1) if steps > 1 else 0.5
            at = self.first.timestamp() + self.span_s * share
            moment = datetime.fromtimestamp(at, self.first.tzinfo)
            # The outermost words must not hang over the edge.
            x = min(max(self.x(moment), _LEFT + 20), _WIDTH - _RIGHT - 32)
            yield x, moment.strftime(form)


def _draw(root: ElementTree.Element, series: Series, shape: str, scale: _Scale, x: float) -> None:
    kind = f"series {shape}"
    group = ElementTree.SubElement(root, "g", {"class": kind})
    if not series.points:
        return
    spots = [(scale.x(point.at), scale.y(point.seconds)) for point in series.points]
    if len(spots) > 1:
        _add(group, "polyline", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in spots))
    for point, (a, b) in zip(series.points, spots, strict=True):
        mark = _mark(group, shape, a, b)
        words = f"{series.name}: {duration(point.seconds)}, {clean(point.words)}, "
        _add(mark, "title", text=f"{words}{point.at:%Y-%m-%d %H:%M} UTC")
    _mark(group, shape, _LEFT + x, 14)
    _add(group, "text", text=series.name, x=f"{_LEFT + x + 12:.0f}", y="18")


def _mark(group: ElementTree.Element, shape: str, x: float, y: float) -> ElementTree.Element:
    if shape == "circle":
        return _add(group, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="4.5")
    if shape == "square":
        return _add(group, "rect", x=f"{x - 4:.1f}", y=f"{y - 4:.1f}", width="8", height="8")
    if shape == "triangle":
        return _add(group, "path", d=f"M{x:.1f} {y - 5:.1f}l5.5 9.5l-11 0z")
    return _add(group, "path", d=f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z")


def _add(
    parent: ElementTree.Element, name: str, *, text: str = "", anchor: str = "", **given: str
) -> ElementTree.Element:
    attributes = given | ({"text-anchor": anchor} if anchor else {})
    made = ElementTree.SubElement(parent, name, attributes)
    made.text = text or None
    return made


def _summary(series: Series) -> str:
    seconds = sorted(point.seconds for point in series.points)
    middle = seconds[len(seconds) // 2]
    return f"{series.name}: {len(seconds)} values, median {duration(middle)}"


def _tick(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
