"""Programs that are not trusted are bounded in time and output, whatever they leave behind."""

from __future__ import annotations

import os
import signal

import pytest

from greenroom.errors import OperationError
from greenroom.providers.local import kernel
from greenroom.providers.local.command import run_bounded

OUTLIVES = "sleep 20 & echo $!"
"""A child that holds the pipe for longer than a test may take."""


def test_what_it_printed_is_read_although_a_child_of_it_holds_the_pipe() -> None:
    child = int(run_bounded(["sh", "-c", OUTLIVES], timeout_s=60))
    assert kernel.is_alive(child)
    os.kill(child, signal.SIGKILL)


def test_one_that_outlives_its_time_is_ended_although_a_child_of_it_holds_the_pipe() -> None:
    with pytest.raises(OperationError, match=r"did not end within 0\.5 s") as caught:
        run_bounded(["sh", "-c", f"{OUTLIVES}; wait"], timeout_s=0.5)
    assert caught.value.code == "E_COMMAND"


@pytest.mark.parametrize("length", [0, 1, 1024 * 1024])
def test_what_it_prints_is_read_whole_up_to_a_mebibyte(length: int) -> None:
    assert run_bounded(["head", "-c", str(length), "/dev/zero"], timeout_s=60) == "\0" * length


@pytest.mark.parametrize("argv", [["yes"], ["head", "-c", str(1024 * 1024 + 1), "/dev/zero"]])
def test_one_that_prints_more_is_ended(argv: list[str]) -> None:
    with pytest.raises(OperationError, match="1 MiB"):
        run_bounded(argv, timeout_s=60)
