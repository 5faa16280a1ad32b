"""A program of the region is started again for as long as that takes."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest

from greenroom.errors import OperationError
from greenroom.model.incidents import Incident
from greenroom.providers.local import care
from greenroom.providers.local.layout import Layout
from greenroom.region import Region

TIMEOUT_S = 20.0


def test_one_that_does_not_start_for_long_is_told_and_tried_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(care, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(care, "_LONGEST_PAUSE_S", 0.002)
    processes = [subprocess.Popen(["sleep", "1000"])]
    failures = 0
    gone = threading.Event()
    told: list[Incident] = []

    def start() -> int:
        nonlocal failures
        # Not poll(): it says that a process runs while another thread waits for its end.
        if gone.is_set() and failures < 3 * care._TOLD_AFTER:
            failures += 1
            raise OperationError("E_PROXY", "its port is taken")
        if len(processes) == 1 and failures:
            processes.append(subprocess.Popen(["sleep", "1000"]))
        return processes[-1].pid

    cared = care.Care(Layout(Region("unit")))
    try:
        cared.keep("haproxy", start, told.append)
        gone.set()
        processes[0].kill()
        processes[0].wait()
        end = time.monotonic() + TIMEOUT_S
        while len(told) < 2:
            assert time.monotonic() < end, "it was given up"
            time.sleep(0.005)
    finally:
        cared.close()
        for process in processes:
            process.kill()
            process.wait()
    away, back = told
    assert away.away_s is None
    assert "it does not start again: its port is taken; it is tried again each 30 s" in (
        away.message
    )
    assert "greenroom flows ENV" in away.message
    assert back.away_s is not None
    assert back.message.endswith(f"started again as process {processes[1].pid}")
