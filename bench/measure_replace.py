"""Replacing a machine, beside the create of its environment; and what a client sees of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import site_of_bench as site
from table import Row, Sample, milliseconds

_BRANCH, _ALONE = "feature_x", "alone"
_STATELESS = ("backend1", "feed1")


def measure(folder: Path, rounds: int) -> list[Row]:
    """A round creates, replaces what is stateless and the database, drills, and destroys."""
    created: list[float] = []
    alone: list[float] = []
    replaced: dict[str, list[float]] = {name: [] for name in (*_STATELESS, "db1")}
    boots: dict[str, list[float]] = {name: [] for name in replaced}
    gaps: dict[str, list[float]] = {name: [] for name in _STATELESS}
    errors: dict[str, list[float]] = {name: [] for name in _STATELESS}
    for number in range(rounds + 1):
        seconds = site.timed(lambda: site.create(folder, _BRANCH))
        rows = [*_timings(folder, "--stateless"), *_timings(folder, "db1")]
        drilled = _rows(site.greenroom(folder, "drill", _BRANCH, "--throw-away", "--json"))
        site.destroy(folder, _BRANCH)
        feed_s = site.timed(lambda: _create_feed(folder))
        site.destroy(folder, _ALONE)
        if number == 0:
            # The first round warms everybody up.
            continue
        created.append(seconds)
        alone.append(feed_s)
        for row in rows:
            replaced[row["machine"]].append(row["total_s"])
            boots[row["machine"]].append(row["boot_s"])
        for row in drilled:
            gaps[row["machine"]].append(row["seen"]["longest_gap_s"])
            errors[row["machine"]].append(sum(count for _, count in row["seen"]["errors"]))
    create = milliseconds(created)
    return [
        *(
            Row(
                what=f"{name} thrown away until all is as expected, beside the create of all three",
                ours=milliseconds(replaced[name]),
                peer=create,
            )
            for name in replaced
        ),
        Row(
            what="feed1 thrown away until all is as expected, beside the create of a feed alone",
            ours=milliseconds(replaced["feed1"]),
            peer=milliseconds(alone),
        ),
        *(Row(what=f"of which {name} boots", ours=milliseconds(boots[name])) for name in boots),
        *(
            Row(what=f"{name} away: longest gap of a client", ours=milliseconds(gaps[name]))
            for name in gaps
        ),
        *(
            Row(
                what=f"{name} away: errors that a client met",
                ours=Sample(values=tuple(errors[name]), unit=""),
            )
            for name in errors
        ),
    ]


def _create_feed(folder: Path) -> None:
    site.greenroom(folder, "create", "--machines", "feed", "--branch", _ALONE)
    site.favour(f"/{site.REGION}")


def _timings(folder: Path, words: str) -> list[dict[str, Any]]:
    return _rows(site.greenroom(folder, "replace", _BRANCH, words, "--json"))


def _rows(output: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(output.splitlines()[-1])["timings"]
    return rows
