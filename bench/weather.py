"""What else went on while something was measured: a figure without it says little."""

from __future__ import annotations

import os
from pathlib import Path


class Weather:
    """A context manager around a measurement."""

    def __enter__(self) -> Weather:
        self._before = _ticks()
        return self

    def __exit__(self, *_: object) -> None:
        self._after = _ticks()

    def text(self) -> str:
        """``the host took 1.2 % of the time; load 0.8``."""
        passed = [after - before for before, after in zip(self._before, self._after, strict=True)]
        stolen = 100 * passed[7] / max(sum(passed[:8]), 1)
        return f"{stolen:.1f} % of the time was stolen by the host; load {os.getloadavg()[1]:.1f}"


def _ticks() -> list[int]:
    """user, nice, system, idle, iowait, irq, softirq, steal … of all cores (proc(5))."""
    return [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
