"""The table: what was measured, beside what, and whether the bar holds (pure)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = ("what", "ours", "peer", "ratio", "bar", "holds?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Repeated measurements of one thing. ``unit`` is ms, MiB, Gbit/s or empty for a count."""

    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        """What the table says."""
        return statistics.median(self.values)

    def text(self) -> str:
        """The median and its spread: ``412 ms (398–455)``."""
        median, low, high = (_number(v) for v in (self.median, min(self.values), max(self.values)))
        spread = f" ({low}–{high})" if len(self.values) > 1 else ""
        return f"{median} {self.unit}".rstrip() + spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line. The bar is on the ratio to ``peer``, or on ``ours`` itself if there is no peer;
    None if the line only tells."""

    what: str
    ours: Sample
    peer: Sample | None = None
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's, of the medians."""
        return None if self.peer is None else self.ours.median / self.peer.median

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        measured = self.ours.median if self.ratio is None else self.ratio
        if self.at_most is not None:
            return measured <= self.at_most
        if self.at_least is not None:
            return measured >= self.at_least
        return None

    def cells(self) -> tuple[str, ...]:
        """The line as text."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        peer = "" if self.peer is None else self.peer.text()
        holds = {True: "yes", False: "NO", None: ""}[self.holds]
        return (self.what, self.ours.text(), peer, ratio, self._bar(), holds)

    def _bar(self) -> str:
        unit = "×" if self.peer is not None else self.ours.unit
        if self.at_most is not None:
            return f"≤ {_number(self.at_most)} {unit}".rstrip()
        if self.at_least is not None:
            return f"≥ {_number(self.at_least)} {unit}".rstrip()
        return ""

    def document(self) -> dict[str, object]:
        """The line for ``--json``."""
        return {
            "what": self.what,
            "unit": self.ours.unit,
            "ours": list(self.ours.values),
            "peer": None if self.peer is None else list(self.peer.values),
            "ratio": self.ratio,
            "at_most": self.at_most,
            "at_least": self.at_least,
            "holds": self.holds,
            "note": self.note,
        }


def milliseconds(seconds: Sequence[float]) -> Sample:
    """A sample of durations."""
    return Sample(values=tuple(s * 1000 for s in seconds), unit="ms")


def render(rows: Sequence[Row]) -> str:
    """Markdown, aligned so that it reads well as it is; the notes stand below."""
    lines = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    notes = [f"- {row.what}: {row.note}" for row in rows if row.note]
    table = [line(_HEAD), rule, *(line(row.cells()) for row in rows)]
    return "\n".join([*table, *([""] if notes else []), *notes]) + "\n"


def _number(value: float) -> str:
    """Three digits that count."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
