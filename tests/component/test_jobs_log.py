"""Logs of executions: whole lines, bounded, followed by many, and no reason for a job to fail."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import JobStage, SteppedClock, job

from greenroom.app.jobs import log
from greenroom.app.jobs.follow import follow_log
from greenroom.app.jobs.log import LINE_BYTES_MAX, Lines, LogBook
from greenroom.model.jobs import ExecutionStatus


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path, (job(),))
    yield made
    made.close()


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_lines_are_the_same_however_the_stream_is_cut(pieces: list[bytes]) -> None:
    cut, whole = Lines(), Lines()
    found = [line for piece in pieces for line in cut.feed(piece)] + cut.flush()
    assert found == whole.feed(b"".join(pieces)) + whole.flush()


def test_a_line_without_an_end_is_cut() -> None:
    lines = Lines()
    found = lines.feed(b"x" * (2 * LINE_BYTES_MAX + 5)) + lines.flush()
    assert [len(line) for line in found] == [LINE_BYTES_MAX, LINE_BYTES_MAX, 5]


def texts(book: LogBook, name: str = "ex1") -> list[str]:
    return [json.loads(line)["text"] for line in book.read(name, 0).splitlines()]


def test_a_log_is_bounded_and_says_how_much_it_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "LOG_BYTES_MAX", 1 << 20)
    book = LogBook(tmp_path / "jobs", SteppedClock())
    writer = book.writer("ex1")
    for number in range(200):
        writer.write([f"{number} {'x' * 100}".encode()] * 100)
    writer.close()

    path = tmp_path / "jobs" / "ex1.ndjson"
    assert path.stat().st_size <= (1 << 20) + 300
    assert path.parent.stat().st_mode & 0o777 == 0o700
    last = json.loads(path.read_bytes().splitlines()[-1])
    assert last["text"] == f"… {writer.dropped} more lines were not kept: a log has 1 MiB"
    assert writer.dropped + last["seq"] - 1 == 20_000


def test_a_writer_goes_on_behind_the_last_whole_line(tmp_path: Path) -> None:
    book = LogBook(tmp_path / "jobs", SteppedClock())
    first = book.writer("ex1")
    first.say("one")
    first.close()
    with (tmp_path / "jobs" / "ex1.ndjson").open("ab") as file:
        file.write(b'{"seq":2,"at":"20')
    second = book.writer("ex1")
    second.say("two")
    second.close()

    lines = [json.loads(line) for line in book.read("ex1", 0).splitlines()]
    assert [(line["seq"], line["text"]) for line in lines] == [(1, "one"), (2, "two")]


def test_what_is_no_text_is_shown_as_what_can_be(tmp_path: Path) -> None:
    book = LogBook(tmp_path / "jobs", SteppedClock())
    writer = book.writer("ex1")
    writer.write([b"caf\xc3\xa9 \xff \x1b[31m\x00"])
    writer.close()
    assert texts(book) == ["café � \x1b[31m\x00"]


@pytest.mark.parametrize("seq", [0, 1, 2999, 3000])
def test_a_reader_goes_on_behind_what_it_has(tmp_path: Path, seq: int) -> None:
    book = LogBook(tmp_path / "jobs", SteppedClock())
    writer = book.writer("ex1")
    writer.write([b"x" * 150] * 3000)
    writer.close()
    data = book.read("ex1", book.offset_after("ex1", seq))
    first = data.splitlines()[0] if data else b'{"seq":3001}'
    assert json.loads(first)["seq"] == seq + 1


def test_a_full_disk_does_not_fail_the_job(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"one\n")
    stage.until(execution.id, lambda _: stage.texts(execution) == ["one"])

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(log.LogWriter, "_write", full)
    program.write(b"two\n")
    program.exit(0)
    view = stage.ended(execution)

    assert (view.status, view.code) == (ExecutionStatus.SUCCEEDED, "E_JOB_LOG")
    assert view.message == "the job's log could not be written: No space left on device"


def test_a_follower_sees_every_line_until_the_end(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"one\n")

    async def followed() -> list[str]:
        found: list[str] = []
        async for data in follow_log(stage.jobs, execution.id):
            found += [json.loads(line)["text"] for line in data.splitlines()]
            if found == ["one"]:
                program.write(b"two\n")
            elif found == ["one", "two"]:
                program.exit()
        return found

    assert asyncio.run(asyncio.wait_for(followed(), TIMEOUT_S)) == ["one", "two"]


def test_a_follower_of_long_lines_is_not_left_behind(stage: JobStage) -> None:
    # Each byte of them takes six in the log, so that less than three fit into what is read at once.
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write((b"\0" * LINE_BYTES_MAX + b"\n") * 20)

    async def followed() -> int:
        seen = 0
        async for data in follow_log(stage.jobs, execution.id):
            seen += data.count(b"\n")
            if seen == 20:
                program.exit()
        return seen

    assert asyncio.run(asyncio.wait_for(followed(), TIMEOUT_S)) == 20


def test_followers_come_and_go_and_each_sees_all(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)

    async def all_of_it() -> int:
        return sum([data.count(b"\n") async for data in follow_log(stage.jobs, execution.id)])

    async def one_line_of_it() -> None:
        async for _ in follow_log(stage.jobs, execution.id):
            return

    async def scene() -> list[int]:
        leaving = [asyncio.create_task(one_line_of_it()) for _ in range(20)]
        staying = [asyncio.create_task(all_of_it()) for _ in range(20)]
        for number in range(300):
            program.write(b"line %d\n" % number)
            await asyncio.sleep(0)
        await asyncio.gather(*leaving)
        program.exit()
        return await asyncio.gather(*staying)

    assert asyncio.run(asyncio.wait_for(scene(), TIMEOUT_S)) == [300] * 20
    assert stage.jobs.book._listeners == {}


def test_the_log_of_what_has_ended_is_read_without_waiting(stage: JobStage) -> None:
    execution = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"one\n")
    program.exit()
    stage.ended(execution)

    async def read() -> list[bytes]:
        return [data async for data in follow_log(stage.jobs, execution.id)]

    assert len(asyncio.run(asyncio.wait_for(read(), TIMEOUT_S))) == 1


def test_the_oldest_logs_go_and_none_that_is_still_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = LogBook(tmp_path, SteppedClock())
    for number in range(40):
        path = tmp_path / f"ex{number}.ndjson"
        path.write_bytes(b"x" * 100)
        os.utime(path, (number, number))

    def left() -> list[int]:
        return sorted(int(path.stem[2:]) for path in tmp_path.iterdir())

    monkeypatch.setattr(log, "LOGS_KEPT", 5)
    book.prune(lambda execution: execution == "ex3")
    assert left() == [3, 35, 36, 37, 38, 39]
    monkeypatch.setattr(log, "LOGS_BYTES_MAX", 250)
    book.prune(lambda execution: execution == "ex3")
    assert left() == [3, 38, 39]
    book.prune(lambda _: False)
    assert left() == [38, 39]


def test_logs_are_pruned_as_time_passes(stage: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LOGS_KEPT", 0)
    ended = stage.run()
    program = stage.processes.wait_for(1, TIMEOUT_S)
    program.write(b"kept\n")
    program.exit()
    stage.ended(ended)
    running = stage.run()
    program = stage.processes.wait_for(2, TIMEOUT_S)
    program.write(b"kept\n")
    stage.until(running.id, lambda _: stage.texts(running) == ["kept"])
    stage.clock.step(31)
    stage.tick()

    assert (stage.texts(ended), stage.texts(running)) == ([], ["kept"])
    program.exit()
    stage.ended(running)
