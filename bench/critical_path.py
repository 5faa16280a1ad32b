"""A picture of a create's critical path: who waits for whom, from a real run.

    critical_path.py [--out docs/critical-path.svg] [--rounds 5]

Creates the photo feed, warm, in the bench's region, with a daemon whose functions carry
stopwatches and with the kernel telling of every process. Draws the run of median length.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import site_of_bench as site
from picture import draw
from trace_processes import Process, Watch

_BRANCH = "feature_x"
_WARM_UP = 2
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Span:
    """A call in the daemon."""

    name: str
    start: float
    end: float
    thread: int
    about: str
    request: str


@dataclass(frozen=True, slots=True)
class Event:
    """What the daemon told of the operation."""

    at: float
    kind: str
    phase: str
    machine: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of the critical path."""

    what: str
    start: float
    end: float


@dataclass(slots=True)
class Run:
    """One create, from the start of the command line to its end (monotonic seconds)."""

    start: float
    end: float
    events: list[Event]
    processes: list[Process]
    spans: list[Span]

    def machine_of(self, process: Process) -> str | None:
        """The machine whose cgroup the process is in."""
        marker = f"/{site.REGION}/"
        for line in process.cgroup.splitlines():
            if marker in line:
                return line.partition(marker)[2].split("/")[1]
        return None


def main() -> None:
    """Record, pick the median, draw and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=site.ROOT / "docs" / "critical-path.svg")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as scratch:
        folder = Path(scratch) / "photos"
        site.make_site(folder)
        try:
            runs = record(folder, Path(scratch) / "spans", chosen.rounds)
        finally:
            site.clear(folder)
    runs.sort(key=lambda run: run.end - run.start)
    median = runs[len(runs) // 2]
    path = legs(median)
    chosen.out.write_text(draw(median, path))
    for leg in path:
        print(f"{(leg.end - leg.start) * 1000:8.1f} ms  {leg.what}")
    lengths = ", ".join(f"{(run.end - run.start) * 1000:.0f}" for run in runs)
    print(f"{(median.end - median.start) * 1000:8.1f} ms  in all (runs: {lengths})")


def record(folder: Path, spans: Path, rounds: int) -> list[Run]:
    """Warm creates with a traced daemon; the first ones warm it up and are not kept."""
    with traced_daemon(folder, spans), Watch() as watch:
        runs = []
        for number in range(rounds + _WARM_UP):
            run = one_create(folder)
            site.destroy(folder, _BRANCH)
            if number >= _WARM_UP:
                runs.append(run)
    heard = [Span(**json.loads(line)) for line in spans.read_text().splitlines()]
    for run in runs:
        run.spans = [s for s in heard if s.end > run.start and s.start < run.end]
        run.processes = [p for p in watch.processes if run.start < p.born < run.end]
    return runs


@contextmanager
def traced_daemon(folder: Path, spans: Path) -> Iterator[None]:
    """The bench's region with the traced daemon in place of the usual one."""
    site.greenroom(folder, "serve", "--stop")
    argv = [sys.executable, str(_HERE / "trace_daemon.py"), str(spans)]
    site.STATE.mkdir(parents=True, exist_ok=True)
    with (site.STATE / "trace.log").open("ab") as log:
        daemon = subprocess.Popen(argv, env=site.ENVIRONMENT, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while not (site.RUN / "daemon.sock").exists():
            if daemon.poll() is not None or time.monotonic() > end:
                raise site.BenchError((site.STATE / "trace.log").read_text()[-2000:])
            time.sleep(0.05)
        yield
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)


def one_create(folder: Path) -> Run:
    """A create with its events."""
    words = ["create", "--machines", *site.MACHINES, "--restore_db", "extract"]
    wall = time.time() - time.monotonic()
    start = time.monotonic()
    lines = site.greenroom(folder, *words, "--branch", _BRANCH, "--json")
    end = time.monotonic()
    site.favour(f"/{site.REGION}")
    events = [_event(json.loads(line), wall) for line in lines.splitlines() if '"seq"' in line]
    return Run(start, end, events, [], [])


def _event(raw: dict[str, Any], wall: float) -> Event:
    at = datetime.fromisoformat(raw["at"]).timestamp() - wall
    return Event(at, raw["kind"], raw["phase"], raw["machine"], raw["seconds"] or 0.0)


def legs(run: Run) -> list[Leg]:
    """The critical path: from each end back to what it waited for, told forwards."""
    found: list[Leg] = []

    def until(what: str, at: float | None) -> None:
        begin = found[-1].end if found else run.start
        if at is not None and at > begin:
            found.append(Leg(what, begin, at))

    submits = [s for s in run.spans if s.name.endswith("ControlPlane.submit")]
    until("the command line starts and asks", min((s.start for s in submits), default=None))
    started = {e.phase: e.at for e in run.events if e.kind == "phase-started" and not e.machine}
    done = {e.phase: e.at for e in run.events if e.kind == "phase-done" and not e.machine}
    if started:
        until("the door: parse, plan, write the intents", min(started.values()))
    order = sorted((at, phase) for phase, at in done.items() if phase != "machines")
    before = [(at, phase) for at, phase in order if at <= done.get("machines", run.end)]
    for at, phase in before:
        until(phase, at)
    if "machines" in done:
        until("the machines' step begins", started["machines"])
        _machine_legs(run, until)
        until("the signal is noticed", done["machines"])
    for at, phase in order:
        until(phase, at)
    until("the ending is written", max((e.at for e in run.events), default=None))
    until("the command line says so and ends", run.end)
    return found


def _machine_legs(run: Run, until: Callable[[str, float | None], None]) -> None:
    boots = [e for e in run.events if e.kind == "phase-done" and e.phase == "boot" and e.machine]
    if not boots:
        return
    slowest = max(boots, key=lambda event: event.at).machine
    mine = [p for p in run.processes if run.machine_of(p) == slowest]
    execs = sorted((at, line) for p in mine for at, line in p.execs)
    marks = {
        f"{slowest}: laid out, crun makes the container": "s6-svscan",
        f"{slowest}: s6 starts the first program": "user-data.py",
        f"{slowest}: the user data is fetched": "instance/user-data.txt",
        f"{slowest}: the agent is fetched and compared": "agent.pyz boot",
    }
    for what, mark in marks.items():
        until(what, next((at for at, line in execs if mark in line), None))
    phases = [
        e
        for e in run.events
        if e.machine == slowest and e.kind == "phase-done" and e.phase not in ("boot", "clone")
    ]
    # The slowest machine's is the last signal.
    signals = [s.start for s in run.spans if " PUT /signal/" in s.request]
    if signals:
        at = max(signals) - sum(e.seconds for e in phases)
        until(f"{slowest}: the agent starts", at)
        for event in phases:
            at += event.seconds
            until(f"{slowest}: {event.phase}", at)


if __name__ == "__main__":
    main()
