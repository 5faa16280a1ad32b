"""Measures greenroom beside its peers and prints one table: ``make bench``.

Needs root. It works in a region of its own, sets its peers up in a root filesystem of theirs, and
removes all of it but the caches (images, the peers' archive). Medians of ``--rounds``; every
figure of a row comes from the same run. A bar that does not hold is said, and is no failure; a
measure that breaks down is one (exit code 1), and the others are told all the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import measure_big
import measure_cloud
import measure_create
import measure_inventory
import measure_jobs
import measure_many
import measure_network
import measure_page
import measure_replace
import site_of_bench as site
from table import Row, render
from weather import Weather

_MEASURES: dict[str, Callable[[Path, int], list[Row]]] = {
    "create": measure_create.measure,
    "big": measure_big.measure,
    "ten": measure_many.ten_at_once,
    "thirty": measure_many.thirty_beside,
    "network": measure_network.measure,
    "replace": measure_replace.measure,
    "jobs": measure_jobs.measure,
    "cloud": measure_cloud.measure,
    "inventory": measure_inventory.measure,
    "page": measure_page.measure,
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="default: 10")
    parser.add_argument("--only", default=",".join(_MEASURES), help="of: %(default)s")
    parser.add_argument("--json", action="store_true", help="every single value, as JSON")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = [name for name in chosen if name not in _MEASURES]
    if unknown:
        parser.error(f"--only {','.join(unknown)}: there is {', '.join(_MEASURES)}")
    with Weather() as weather:
        rows, broken = _measure(chosen, options.rounds)
    if options.json:
        print(json.dumps({"host": _host(), "rows": [row.document() for row in rows]}, indent=2))
    else:
        print(f"{_host()}; medians of {options.rounds} (and their spread); {weather.text()}\n")
        print(render(rows), end="")
    if broken:
        sys.exit(f"bench: not measured, see above: {', '.join(broken)}")


def _measure(chosen: list[str], rounds: int) -> tuple[list[Row], list[str]]:
    """The rows, and the names of the measures that broke down."""
    rows: list[Row] = []
    broken = []
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as scratch:
        folder = Path(scratch) / "photos"
        site.make_site(folder)
        try:
            site.clear(folder)
            for name in chosen:
                print(f"measuring {name}", file=sys.stderr)
                try:
                    rows += _MEASURES[name](folder, rounds)
                except Exception:  # noqa: BLE001 - ten minutes of other figures are not lost
                    traceback.print_exc()
                    broken.append(name)
        finally:
            site.clear(folder)
    return rows, broken


def _host() -> str:
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    cores = len(Path("/proc/cpuinfo").read_text().split("processor\t:")) - 1
    return f"{cores} cores, {memory_kib / 1024**2:.0f} GiB, Linux {platform.release()}"


if __name__ == "__main__":
    main()
