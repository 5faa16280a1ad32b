"""A process that runs one operation on the durable engine and is killed in the middle of it.

Usage: engine_victim.py FOLDER [start|resume] [kill-in STEP|kill-after STEP]
Writes a line to FOLDER/trace for each step that it runs, and FOLDER/returned at the end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from greenroom.errors import OperationError
from greenroom.jobs.engine import DbosEngine
from greenroom.ports import Steps

STEPS = ("one", "two", "three")
_TIMEOUT_S = 30.0


def die() -> None:
    """kill -9: no handler, no atexit, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def run_in(folder: Path, how: str, where: str) -> Callable[[str, Steps], None]:
    """The operation: three steps, and a fourth that fails and is compensated by a fifth."""

    def trace(line: str) -> None:
        with (folder / "trace").open("a") as file:
            file.write(f"{line}\n")

    def step(name: str) -> str:
        trace(name)
        if (how, where) == ("kill-in", name):
            die()
        return f"result of {name}"

    def fail() -> str:
        trace("fail")
        raise OperationError("E_REASON", "the first reason", hint="the hint")

    def run(operation: str, steps: Steps) -> None:
        for name in STEPS:
            assert steps.run(name, lambda name=name: step(name)) == f"result of {name}"
            if (how, where) == ("kill-after", name):
                die()
        try:
            steps.run("fail", fail)
        except OperationError as error:
            if (how, where) == ("kill-after", "fail"):
                die()
            assert (error.code, error.hint) == ("E_REASON", "the hint")
            steps.run("undo", lambda: step("undo"))
            (folder / "returned").write_text(f"{operation}: {error.message}")

    return run


def main() -> None:
    """Launch the engine, start the operation if asked to, and wait for its return."""
    folder, begin = Path(sys.argv[1]), sys.argv[2]
    how, where = (sys.argv[3], sys.argv[4]) if len(sys.argv) > 3 else ("", "")
    engine = DbosEngine(folder / "engine.db")
    engine.register("create", run_in(folder, how, where))
    engine.launch()
    if begin == "start":
        engine.start("create", "op-1")
    deadline = time.monotonic() + _TIMEOUT_S
    while not (folder / "returned").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    engine.close()


if __name__ == "__main__":
    main()
