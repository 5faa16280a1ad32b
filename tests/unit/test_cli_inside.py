"""Becoming a command inside a machine."""

from __future__ import annotations

import subprocess
import sys

WITH_A_CHILD = """
import subprocess, sys
from greenroom.cli.inside import become
quiet = subprocess.DEVNULL
left = subprocess.Popen(["sleep", "60"], stdout=quiet, stderr=quiet)
print(left.pid, flush=True)
become([sys.executable, "-c", sys.argv[1]])
"""
WAITS_FOR_ANY_CHILD = """
import os, sys
try:
    os.wait()
except ChildProcessError:
    sys.exit(7)
"""


def test_a_command_does_not_inherit_the_daemon_that_was_started_for_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_CHILD, WAITS_FOR_ANY_CHILD],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    subprocess.run(["kill", done.stdout.strip()], check=True)
    assert (done.returncode, done.stderr) == (7, "")
