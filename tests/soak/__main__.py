"""Creates and destroys in a row, with a random kill in every tenth: ``make soak``.

At the end, and after every kill, the host must be as it was. Prints its seed; the same seed gives
the same environments, the same kills and the same moments (but not the same races). Exit code 1
if it found something.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.conftest import remove_state
from tests.real import host
from tests.real.site import LABEL, REGION, RUN, STATE, Site, destroy_all, make_site, stop_daemon
from tests.soak import kills, vitals

SHAPES = (("feed",), ("db",), ("db", "feed"), ("backend", "db", "feed"))
VOLATILE = (RUN, STATE / "pool" / "environments")
SETTLES_S = 240.0
KILL_WITHIN_S = 1.5


@dataclass
class Tally:
    """What came of it."""

    create_s: list[float] = field(default_factory=list)
    destroy_s: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    samples: list[vitals.Sample] = field(default_factory=list)

    def find(self, what: str) -> None:
        """Something is wrong."""
        print(f"FOUND: {what}", flush=True)
        self.findings.append(what)


def main() -> None:
    """Parse, soak, print, and leave the host as it was."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="creates (default: 1000)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--kill-every", type=int, default=10, help="0: never (default: 10)")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if (STATE / "pool").is_mount():
        parser.error(f"region {REGION} is in use: greenroom serve --stop, then again")
    remove_state()
    bare = _look()
    tally = Tally()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="greenroom-soak-") as scratch:
        site = make_site(Path(scratch) / "photos")
        try:
            _soak(site, options.count, options.kill_every, random.Random(options.seed), tally)
        finally:
            destroy_all(site)
            stop_daemon(site)
    left = _look().changes_since(bare)
    if left:
        tally.find(f"the host is not as it was: {left}")
    tally.findings += vitals.leaks(tally.samples)
    print(_summary(tally, time.monotonic() - began))
    if tally.findings:
        print(f"what it found may be looked into: {RUN} and {STATE} are left as they are")
        sys.exit(1)
    remove_state()


def _soak(site: Site, count: int, kill_every: int, chance: random.Random, tally: Tally) -> None:
    # The first of each shape makes images and golden volumes, which stay.
    site.ok("create", "--machines", *SHAPES[-1], "--branch", "first")
    site.ok("destroy", "first")
    before = _look(VOLATILE)
    for number in range(1, count + 1):
        shape = chance.choice(SHAPES)
        branch = f"soak-{number}"
        if kill_every and number % kill_every == 0:
            _round_with_kill(site, shape, branch, chance, tally)
            _compare(before, number, tally)
        else:
            _round(site, shape, branch, tally)
        if number % 10 == 1:
            seen = vitals.sample(number)
            tally.samples += [] if seen is None else [seen]
        if number % 50 == 0:
            print(f"{number} of {count}: {_medians(tally)}", flush=True)
    _compare(before, count, tally)


def _round(site: Site, shape: tuple[str, ...], branch: str, tally: Tally) -> None:
    began = time.monotonic()
    done = site.greenroom("create", "--machines", *shape, "--branch", branch)
    tally.create_s.append(time.monotonic() - began)
    tally.outcomes[f"create: exit {done.returncode}"] += 1
    if done.returncode != 0:
        tally.find(f"{branch}: create of {shape} ended with {done.returncode}: {done.stderr}")
        if not _stands(site, branch):
            return
    began = time.monotonic()
    done = site.greenroom("destroy", branch)
    tally.destroy_s.append(time.monotonic() - began)
    if done.returncode != 0:
        tally.find(f"{branch}: destroy ended with {done.returncode}: {done.stderr}")


def _round_with_kill(
    site: Site, shape: tuple[str, ...], branch: str, chance: random.Random, tally: Tally
) -> None:
    """A kill during the create, while it stands, or during the destroy; whatever comes of the
    command, the environment must end up standing or gone, and a destroy must take it away."""
    target = chance.choice((*kills.TARGETS, kills.COMMAND_LINE))
    standing = () if target == kills.COMMAND_LINE else ("standing",)
    moment = chance.choice(("create", *standing, "destroy"))
    tally.killed[f"{target} at {moment}"] += 1
    create = ("create", "--machines", *shape, "--branch", branch)
    codes = [_run(site, create, target if moment == "create" else None, chance)]
    if moment == "standing":
        kills.kill(target, chance)
    if _settled(site, branch, tally) and _stands(site, branch):
        codes.append(
            _run(site, ("destroy", branch), target if moment == "destroy" else None, chance)
        )
        if _settled(site, branch, tally) and _stands(site, branch):
            codes.append(site.greenroom("destroy", branch).returncode)
    if _stands(site, branch):
        tally.find(f"{branch}: it cannot be destroyed after {target} was killed at {moment}")
    ends = " then ".join(str(code) for code in codes)
    tally.outcomes[f"{moment} with a kill: exit {ends}"] += 1


def _run(site: Site, words: tuple[str, ...], target: str | None, chance: random.Random) -> int:
    """Run a command and kill the target at some moment of it; its exit code."""
    process = site.start(*words)
    if target is not None:
        try:
            process.communicate(timeout=chance.uniform(0.0, KILL_WITHIN_S))
        except subprocess.TimeoutExpired:
            if target == kills.COMMAND_LINE:
                process.kill()
            else:
                kills.kill(target, chance)
    process.communicate(timeout=SETTLES_S)
    return process.returncode


def _settled(site: Site, branch: str, tally: Tally) -> bool:
    """Wait until no operation is at work on it; a daemon that was killed is started by asking."""
    end = time.monotonic() + SETTLES_S
    while any(e["operation"] for e in site.data("list") if e["branch"] == branch):
        if time.monotonic() > end:
            tally.find(f"{branch}: an operation on it does not end")
            return False
        time.sleep(0.05)
    return True


def _stands(site: Site, branch: str) -> bool:
    return any(e["branch"] == branch for e in site.data("list"))


def _look(folders: tuple[Path, ...] = ()) -> host.HostState:
    """The host as far as it bears the region's name: a soak takes long, and others work here."""
    state = host.take(REGION, folders)

    def own(names: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in names if REGION in name)

    return replace(
        state,
        namespaces=own(state.namespaces),
        links=frozenset(n for n in state.links if n.startswith(("region: ", f"gr-{LABEL}"))),
        tables=frozenset(name for name in state.tables if name.startswith("region: ")),
        mounts=own(state.mounts),
        cgroups=own(state.cgroups),
        loops=own(state.loops),
    )


def _compare(before: host.HostState, number: int, tally: Tally) -> None:
    """After a kill, some of what was started again takes a moment to be there."""
    end = time.monotonic() + SETTLES_S / 8
    while (changes := _look(VOLATILE).changes_since(before)) and time.monotonic() < end:
        time.sleep(0.05)
    if changes:
        tally.find(f"after round {number} the host is not as it was: {changes}")


def _medians(tally: Tally) -> str:
    texts = []
    for what, values in (("create", tally.create_s), ("destroy", tally.destroy_s)):
        if values:
            slowest = sorted(values)[int(len(values) * 0.95)]
            texts.append(f"{what} {statistics.median(values):.2f} s (95 %: {slowest:.2f} s)")
    return ", ".join(texts)


def _summary(tally: Tally, seconds: float) -> str:
    rounds = len(tally.create_s) + sum(tally.killed.values())
    lines = [
        "",
        f"rounds          {rounds} in {seconds / 60:.1f} minutes; medians without a kill: "
        f"{_medians(tally)}",
        f"kills           {sum(tally.killed.values())}",
        *(f"  {number:4d}  {what}" for what, number in sorted(tally.killed.items())),
        "outcomes",
        *(f"  {number:4d}  {what}" for what, number in sorted(tally.outcomes.items())),
        *vitals.told(tally.samples),
        f"findings        {len(tally.findings)}",
        *(f"  {finding}" for finding in tally.findings),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
