"""A daemon that kills itself by SIGKILL when it comes to a certain call: ``python -m
tests.real.doomed WHEN MODULE NAME`` with WHEN ``before`` or ``after``. It is the daemon in
everything else, unless it is IMPATIENT: then it needs not see an end come near for a while."""

from __future__ import annotations

import functools
import importlib
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from greenroom.app import reconciliation
from tests.real.site import ENVIRONMENT, REPOSITORY, STATE

TIMEOUT_S = 300.0


def die_once(when: str, module: str, name: str, **environment: str) -> None:
    """Run a daemon of the tests' region until it dies there; none runs yet."""
    argv = [sys.executable, "-m", "tests.real.doomed", when, module, name]
    with (STATE / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            argv,
            cwd=REPOSITORY,
            env={**ENVIRONMENT, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        ended = daemon.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        raise
    assert ended == -signal.SIGKILL, f"the daemon ended by itself, with {ended}"


def _doom(when: str, module: str, name: str) -> None:
    holder_name, _, attribute = name.rpartition(".")
    holder: Any = importlib.import_module(module)
    if holder_name:
        holder = attrgetter(holder_name)(holder)
    doomed: Callable[..., Any] = getattr(holder, attribute)

    @functools.wraps(doomed)
    def dies(*values: Any, **named: Any) -> Any:
        if when == "after":
            doomed(*values, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, attribute, dies)


if __name__ == "__main__":
    _doom(*sys.argv[1:])
    if os.environ.get("IMPATIENT"):
        reconciliation.GRACE_S = 0.0
    sys.argv = ["greenroom", "serve"]
    runpy.run_module("greenroom.cli", run_name="__main__")
