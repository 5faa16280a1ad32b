"""What one machine may cause of log lines, waiting and console: bounds, with a clock of our own."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.log_limit import BURST, EVERY_S, LogLimit
from greenroom.model.names import EnvironmentName
from greenroom.providers.local import pace
from greenroom.providers.local.console import (
    KEPT_BYTES,
    LIMIT_BYTES,
    bound_consoles,
    end_of_console,
)
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.pace import Pace
from greenroom.region import Region


class Time:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


def record(message: str, *values: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", level, "", 0, message, values, None)


def test_a_kind_of_record_is_written_some_times_then_once_a_minute_with_what_was_left_out(
    time: Time,
) -> None:
    limit = LogLimit(time)
    asked = [limit.filter(record("Invalid HTTP request: %s", n)) for n in range(1000)]
    assert (asked[:BURST], any(asked[BURST:])) == ([True] * BURST, False)
    assert limit.filter(record("something else"))
    assert limit.filter(record("Invalid HTTP request: %s", 1, level=logging.ERROR))
    time.now_s += EVERY_S
    next_one = record("Invalid HTTP request: %s", "x")
    assert limit.filter(next_one)
    left_out = 1000 - BURST
    assert next_one.getMessage() == (
        f"Invalid HTTP request: x ({left_out} more like this were left out)"
    )
    assert not limit.filter(record("Invalid HTTP request: %s", 2))


def test_who_asks_too_often_waits_and_nobody_else(time: Time) -> None:
    own = Pace(time)
    waits = [own.wait_s("10.0.0.1") for _ in range(pace.BURST + 100)]
    assert waits[: pace.BURST] == [0.0] * pace.BURST
    assert waits[-1] == pytest.approx(100 / pace.PER_SECOND)
    assert own.wait_s("10.0.0.2") == 0.0
    time.now_s += 3600
    assert own.wait_s("10.0.0.1") == 0.0


@given(st.lists(st.floats(0, 10), max_size=300))
def test_a_pace_lets_no_more_pass_than_its_burst_and_its_rate(pauses: list[float]) -> None:
    time = Time()
    own = Pace(time)
    passed = []
    for pause in pauses:
        time.now_s += pause
        passed += [time.now_s + own.wait_s("10.0.0.1") for _ in range(20)]
    for first in range(0, len(passed), 37):
        for last in range(first, len(passed), 41):
            took = passed[last] - passed[first]
            assert last - first <= pace.BURST + took * pace.PER_SECOND + 1


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineLayout:
    monkeypatch.setattr(Region, "run_dir", property(lambda region: tmp_path))
    made = Layout(Region(label="")).machine(EnvironmentName("photos", "x"), "db1")
    made.bundle.mkdir(parents=True)
    return made


def test_a_console_that_outgrows_its_limit_keeps_its_end_and_goes_on(place: MachineLayout) -> None:
    with place.console.open("ab", buffering=0) as machine:
        machine.write(b"a line\n" * (LIMIT_BYTES // 3))
        bound_consoles(place.layout)
        assert place.console.stat().st_size < 2 * KEPT_BYTES
        machine.write(b"the last\n")
    lines = place.console.read_text().splitlines()
    assert lines[0] == "[what came before was cut: the console had grown beyond 1 MiB]"
    assert (set(lines[1:-1]), lines[-1]) == ({"a line"}, "the last")
    assert end_of_console(place).endswith("a line\nthe last\n")


def test_a_console_within_its_limit_is_left_alone(place: MachineLayout) -> None:
    assert end_of_console(place) == ""
    bound_consoles(place.layout)
    place.console.write_bytes(b"x" * (LIMIT_BYTES - 4096))
    before = place.console.stat()
    bound_consoles(place.layout)
    assert place.console.stat() == before


def test_a_console_written_far_behind_its_end_is_read_and_cut_in_bounds(
    place: MachineLayout,
) -> None:
    descriptor = os.open(place.console, os.O_WRONLY | os.O_CREAT)
    os.pwrite(descriptor, b"x" * 2 * LIMIT_BYTES, 2**33)
    assert len(end_of_console(place)) == KEPT_BYTES
    bound_consoles(place.layout)
    os.close(descriptor)
    assert place.console.stat().st_size < 2 * KEPT_BYTES
