"""What the daemon holds, over time: descriptors, threads, memory, and its two databases."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from tests.real.site import RUN, STATE

_MIB = 1024 * 1024
_DESCRIPTORS_MORE = 16
_KIB_A_ROUND = 40.0
_SETTLED_AFTER = 300
"""Rounds of one daemon's life after which its memory should only breathe: until then it grows by
the 256 Stacks, of some 45 KiB each, that it remembers for proofs."""
_LONG = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The daemon between two rounds."""

    round: int
    pid: int
    descriptors: int
    threads: int
    memory_mib: float
    ledger_mib: float


def sample(number: int) -> Sample | None:
    """Look at it; None while none runs."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((RUN / "daemon.lock").read_text())
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        return Sample(
            round=number,
            pid=pid,
            descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
            threads=int(status["Threads"]),
            memory_mib=int(status["VmRSS"].split()[0]) / 1024,
            ledger_mib=sum(f.stat().st_size for f in (STATE / "ledger").glob("*.db")) / _MIB,
        )
    return None


def lives(samples: list[Sample]) -> list[list[Sample]]:
    """The samples of each daemon: one that was killed is followed by another."""
    by_pid: dict[int, list[Sample]] = {}
    for each in samples:
        by_pid.setdefault(each.pid, []).append(each)
    return list(by_pid.values())


def leaks(samples: list[Sample]) -> list[str]:
    """What grew and should not have, within a daemon's life."""
    found = []
    for life in lives(samples):
        first, last = life[0], life[-1]
        if last.descriptors > first.descriptors + _DESCRIPTORS_MORE:
            found.append(
                f"daemon {last.pid}: {first.descriptors} descriptors in round {first.round}, "
                f"{last.descriptors} in round {last.round}"
            )
        settled = [each for each in life if each.round >= first.round + _SETTLED_AFTER]
        if len(settled) > 1:
            rounds = settled[-1].round - settled[0].round
            grown_kib = (settled[-1].memory_mib - settled[0].memory_mib) * 1024 / max(rounds, 1)
            if rounds >= _LONG and grown_kib > _KIB_A_ROUND:
                found.append(
                    f"daemon {last.pid}: memory grew by {grown_kib:.0f} KiB a round "
                    f"from round {settled[0].round} to {settled[-1].round}"
                )
    return found


def told(samples: list[Sample]) -> list[str]:
    """The lines for the summary: the longest life in figures."""
    if not samples:
        return ["no daemon was seen"]
    longest = max(lives(samples), key=lambda life: life[-1].round - life[0].round)
    first, last = longest[0], longest[-1]
    return [
        f"daemons         {len(lives(samples))}; the longest lived from round {first.round} "
        f"to {last.round}:",
        f"  descriptors   {first.descriptors} at first, {last.descriptors} at last, "
        f"{max(each.descriptors for each in longest)} at most",
        f"  threads       {first.threads} at first, {last.threads} at last",
        f"  memory        {first.memory_mib:.0f} MiB at first, {last.memory_mib:.0f} MiB at last",
        f"  ledger        {samples[0].ledger_mib:.1f} MiB at first, "
        f"{samples[-1].ledger_mib:.1f} MiB at last",
    ]
