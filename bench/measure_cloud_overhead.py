"""What greenroom adds on AWS to the time that CloudFormation itself takes: creates, updates and
destroys of the photo feed by the command line, on the tests' account, in which machines signal
after a fixed time.

The account runs in this process, beside the command line that is measured, on the same cores: what
its answers take is a part of the figures.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import site_of_bench as site
from table import Row, Sample
from tests.cloud.fake.account import Account
from tests.cloud.machines import booting

_BRANCH = "feature_x"
_STACK = "greenroom-photos-feature-x"
_BOOT_S = 3.0
_AT_MOST_S = 2.0
_CHANGE = ("{port: 6379, from: backend}", "{port: 6380, from: backend}")
"""What an update changes: two rules of the account, and no machine."""
_SIZES = {3: ("backend", "db", "feed"), 30: ("backend=28", "db", "feed")}


@dataclass(slots=True)
class _Kept:
    """Of one command, per round: seconds beyond the stack's own, and calls of the API."""

    beyond_s: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)


def measure(folder: Path, rounds: int) -> list[Row]:
    """Two rows for each command and size; the bar is on the time."""
    account = Account()
    copy = folder.with_name("photos-on-aws")
    try:
        return [
            row
            for machines, words in _SIZES.items()
            for row in _rows(account, copy, machines, words, rounds)
        ]
    finally:
        account.close()


def _rows(
    account: Account, folder: Path, machines: int, words: tuple[str, ...], rounds: int
) -> list[Row]:
    kept = {name: _Kept() for name in ("create", "update", "destroy")}
    for _ in range(rounds):
        _fresh(account, folder)
        _timed(account, folder, kept["create"], "create", "--branch", _BRANCH, "--machines", *words)
        blueprint = folder / "greenroom.yaml"
        text = blueprint.read_text()
        assert _CHANGE[0] in text
        blueprint.write_text(text.replace(*_CHANGE))
        _timed(account, folder, kept["update"], "update", _BRANCH)
        _timed(account, folder, kept["destroy"], "destroy", _BRANCH)
    return [row for name, each in kept.items() for row in _rows_of(name, machines, each)]


def _rows_of(name: str, machines: int, kept: _Kept) -> list[Row]:
    what = f"{name} of {machines} on AWS"
    beyond = Sample(values=tuple(kept.beyond_s), unit="s")
    calls = Sample(values=tuple(kept.calls), unit="")
    return [
        Row(what=f"{what}: beyond the stack's own time", ours=beyond, at_most=_AT_MOST_S),
        Row(what=f"{what}: calls of the API", ours=calls),
    ]


def _fresh(account: Account, folder: Path) -> None:
    """An account without environments, and the example as it is."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(site.EXAMPLE, folder, ignore=shutil.ignore_patterns("artifacts", "data"))
    account.reset()
    booting(account, delay_s=_BOOT_S)


def _timed(account: Account, folder: Path, kept: _Kept, *words: str) -> None:
    account.log.clear()
    wall_s = site.timed(lambda: _greenroom(account, folder, *words))
    kept.beyond_s.append(wall_s - _own_s(account))
    kept.calls.append(sum(account.log.counts().values()))


def _greenroom(account: Account, folder: Path, *words: str) -> None:
    done = subprocess.run(
        [site.GREENROOM, *words],
        cwd=folder,
        env={**_without_aws(), **account.environment, "GREENROOM_PROVIDER": "aws"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise site.BenchError(f"greenroom {' '.join(words)}: {done.stdout}{done.stderr}")


def _without_aws() -> dict[str, str]:
    return {name: value for name, value in site.ENVIRONMENT.items() if not name.startswith("AWS_")}


def _own_s(account: Account) -> float:
    """Seconds from the last operation's first event of the stack to its last one."""
    (stack,) = account.engine.stacks.values()
    moments = [e.at for e in stack.events if e.operation_id == stack.operation_id]
    return (moments[-1] - moments[0]).total_seconds()
