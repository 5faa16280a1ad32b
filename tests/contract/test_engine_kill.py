"""kill -9 on the durable engine: the next process goes on where the last one died."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

VICTIM = Path(__file__).with_name("engine_victim.py")
TIMEOUT_S = 60.0
ALL = ["one", "two", "three", "fail", "undo"]


def victim(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(VICTIM), str(folder), *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def trace(folder: Path) -> list[str]:
    return (folder / "trace").read_text().split()


def test_without_a_crash_every_step_runs_once_and_nothing_is_printed(tmp_path: Path) -> None:
    process = victim(tmp_path, "start")

    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert trace(tmp_path) == ALL
    assert (tmp_path / "returned").read_text() == "op-1: the first reason"


@pytest.mark.parametrize(
    ("how", "where", "begin", "steps"),
    [
        # A start of what is being resumed already: the control plane does that too.
        ("kill-in", "two", "start", ["one", "two", "two", "three", "fail", "undo"]),
        ("kill-after", "fail", "start", ALL),
        ("kill-in", "undo", "resume", [*ALL, "undo"]),
    ],
)
def test_a_killed_operation_completes_and_only_the_interrupted_step_runs_again(
    tmp_path: Path, how: str, where: str, begin: str, steps: list[str]
) -> None:
    assert victim(tmp_path, "start", how, where).returncode == -signal.SIGKILL
    assert not (tmp_path / "returned").exists()

    process = victim(tmp_path, begin)

    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert trace(tmp_path) == steps
    assert (tmp_path / "returned").read_text() == "op-1: the first reason"
