"""The watch is told of every process that ends, and how, whoever's child it is."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.providers.local.watch import UNKNOWN, Watch, described

TIMEOUT_S = 20.0


class Ear:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self._news = threading.Condition()

    def __call__(self, how: str) -> None:
        with self._news:
            self.heard.append(how)
            self._news.notify_all()

    def waits_for(self, number: int) -> bool:
        with self._news:
            return self._news.wait_for(lambda: len(self.heard) >= number, TIMEOUT_S)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.close()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"])


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


def test_it_tells_by_which_signal_a_process_was_killed(watch: Watch) -> None:
    ear, process = Ear(), sleeper()
    watch.add("a", process.pid, ear)
    process.kill()
    assert ear.waits_for(1)
    process.wait()
    assert ear.heard == ["was killed by SIGKILL"]


def test_it_tells_with_which_code_a_process_ended(watch: Watch) -> None:
    ear = Ear()
    argv = [sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(3)"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        watch.add("a", process.pid, ear)
        assert process.stdin is not None
        process.stdin.close()
        assert ear.waits_for(1)
    assert ear.heard == ["ended with exit code 3"]


def test_a_process_that_has_ended_already_is_told_at_once(watch: Watch) -> None:
    ear, process = Ear(), sleeper()
    process.kill()
    process.wait()
    watch.add("a", process.pid, ear)
    assert ear.heard == [UNKNOWN]


def test_what_is_forgotten_ends_in_silence_with_all_below_it(watch: Watch) -> None:
    ear = Ear()
    own, below, other = sleeper(), sleeper(), sleeper()
    for group, process in (("a", own), ("a/b", below), ("ab", other)):
        watch.add(group, process.pid, ear)
    watch.forget("a")
    for process in (own, below, other):
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert ear.waits_for(1)
    assert len(ear.heard) == 1


def test_no_descriptor_is_left_of_what_ended_or_was_forgotten() -> None:
    before = descriptors()
    watch = Watch()
    ear = Ear()
    for number in range(20):
        process = sleeper()
        watch.add(str(number), process.pid, ear)
        if number % 2:
            watch.forget(str(number))
        process.kill()
        process.wait()
    assert ear.waits_for(10)
    watch.close()
    assert descriptors() == before


def test_one_that_breaks_over_the_news_keeps_nobody_else_from_it(watch: Watch) -> None:
    def breaks(how: str) -> None:
        raise ZeroDivisionError(how)

    ear, first, second = Ear(), sleeper(), sleeper()
    watch.add("a", first.pid, breaks)
    watch.add("b", second.pid, ear)
    for process in (first, second):
        process.kill()
        process.wait()
    assert ear.waits_for(1)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (9, "was killed by SIGKILL"),
        (15, "was killed by SIGTERM"),
        (11 | 0x80, "was killed by SIGSEGV"),
        (63, "was killed by signal 63"),
        (0, "ended with exit code 0"),
        (1 << 8, "ended with exit code 1"),
    ],
)
def test_a_wait_status_is_told_in_words(status: int, words: str) -> None:
    assert described(status) == words
