"""Jobs: how soon the first line comes, how late a schedule fires, how far followers lag."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import site_of_bench as site
from table import Row, Sample, milliseconds

from greenroom.cli.client import Client

_FOLLOWERS = 100
_STAMPS = 200
_FIRED = 10
_STAMPS_SCRIPT = f"""\
script: |
  exec python3 -u -c 'import time
  for _ in range({_STAMPS}):
      print(time.time())
      time.sleep(0.05)'
"""
_FLOOD_SCRIPT = """\
script: |
  exec python3 -c 'import time
  for _ in range(300):
      print("x" * 80 + ("\\n" + "y" * 80) * 99, flush=True)
      time.sleep(0.01)'
"""
_JOBS = {
    "bench-first": "script: echo first\n",
    "bench-second": 'script: "true"\nschedule: [{cron: "* * * * * *"}]\n',
    "bench-stamps": _STAMPS_SCRIPT,
    "bench-flood": _FLOOD_SCRIPT,
}
"""The stamps are a line every 50 ms that says when it was printed; the flood are 30,000 lines,
ten thousand a second at the most."""


def measure(folder: Path, rounds: int) -> list[Row]:
    """In the daemon of the bench's region, over its socket, as every client does."""
    client = Client(str(site.RUN / "daemon.sock"))
    site.environments(folder)
    with _registered(folder, "bench-first", "bench-stamps", "bench-flood"):
        first = [_first_line_s(client) for _ in range(rounds + 1)][1:]
        bare = [_bare_first_line_s() for _ in range(rounds + 1)][1:]
        lags = asyncio.run(_lags_s(client, "bench-stamps"))
        flood_s, lines, answers = _flood(client)
    with _registered(folder, "bench-second"):
        late = _lateness_s(client)
    return [
        Row(
            what="job: from submit to its first line at a client",
            ours=milliseconds(first),
            at_most=200,
            note=f"the bare shell's first line came after {1000 * sorted(bare)[len(bare) // 2]:.1f}"
            " ms",
        ),
        Row(
            what=f"job: lag of {_FOLLOWERS} followers of one log, each line's slowest (p99)",
            ours=Sample(values=(1000 * lags[int(0.99 * len(lags))],), unit="ms"),
            at_most=100,
        ),
        Row(
            what="job: schedule of every second, how late it fires (the latest)",
            ours=Sample(values=(1000 * max(late),), unit="ms"),
            at_most=1000,
        ),
        Row(
            what="job: lines a second of a flood, all in the log",
            ours=Sample(values=(lines / flood_s,), unit=""),
        ),
        Row(what="job: the daemon's answer to others meanwhile", ours=milliseconds(answers)),
    ]


@contextmanager
def _registered(folder: Path, *names: str) -> Iterator[None]:
    paths = [folder / "jobs" / f"{name}.yaml" for name in names]
    for path, name in zip(paths, names, strict=True):
        path.write_text(_JOBS[name])
    try:
        site.greenroom(folder, "job", "register")
        yield
    finally:
        for path in paths:
            path.unlink()
        site.greenroom(folder, "job", "register")


def _first_line_s(client: Client) -> float:
    started = time.perf_counter()
    execution = client.run_job("bench-first", {})
    next(client.job_log(execution["id"], after=0, follow=True))
    return time.perf_counter() - started


def _bare_first_line_s() -> float:
    started = time.perf_counter()
    argv = ["/bin/sh", "-c", "echo first"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - started


async def _lags_s(client: Client, job: str) -> list[float]:
    """For each line the longest time from its print to a follower, in order of length; of the
    lines that were printed when all of them followed."""
    execution = client.run_job(job, {})["id"]
    slowest: dict[float, float] = {}
    began = await asyncio.gather(*(_follow(execution, slowest) for _ in range(_FOLLOWERS)))
    lags = sorted(lag_s for printed, lag_s in slowest.items() if printed > max(began))
    if len(lags) < _STAMPS / 2:
        raise site.BenchError(f"only {len(lags)} lines were printed when all followed")
    return lags


async def _follow(execution: str, slowest: dict[float, float]) -> float:
    """Read the log to its end; when it began to come."""
    reader, writer = await asyncio.open_unix_connection(str(site.RUN / "daemon.sock"))
    target = f"/v1/executions/{execution}/log?follow=1"
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    began = time.time()
    while line := await reader.readline():
        if line.startswith(b'{"seq":'):
            printed = float(json.loads(line)["text"])
            slowest[printed] = max(time.time() - printed, slowest.get(printed, 0.0))
    writer.close()
    return began


def _flood(client: Client) -> tuple[float, int, list[float]]:
    """How long it took, its lines, and how long another client waited for answers meanwhile."""
    started = time.perf_counter()
    execution = client.run_job("bench-flood", {})["id"]
    answers = []
    while client.execution(execution)["ended_at"] is None:
        answers.append(site.timed(client.status))
        time.sleep(0.02)
    flood_s = time.perf_counter() - started
    return flood_s, sum(1 for _ in client.job_log(execution, after=0, follow=False)), answers


def _lateness_s(client: Client) -> list[float]:
    """How long after its second each execution was accepted."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = client.executions(job="bench-second", environment=None, limit=_FIRED)
        if len(found) == _FIRED:
            return [_past_second_s(each) for each in found]
        time.sleep(0.5)
    raise site.BenchError("the schedule of every second did not fire")


def _past_second_s(execution: Any) -> float:
    at = datetime.fromisoformat(execution["created_at"]).astimezone(UTC)
    return at.microsecond / 1e6
