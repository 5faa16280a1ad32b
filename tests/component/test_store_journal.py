"""The journal: live for readers, in batches for the database, and never out of order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S, request
from tests.databases import make_database

from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.store.database import Database
from greenroom.store.events import events_after
from greenroom.store.journal import Journal
from greenroom.store.operations import OperationRecord, insert_operation

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = make_database(tmp_path)
    database.migrate()
    with database.write() as connection:
        for number in (1, 2):
            insert_operation(connection, operation(number))
    yield database
    database.close()


@pytest.fixture
def journal(database: Database) -> Iterator[Journal]:
    journal = Journal(database)
    yield journal
    journal.close()


def operation(number: int) -> OperationRecord:
    return OperationRecord(
        id=f"op-{number}",
        kind="create",
        environment=EnvironmentName("photos", f"b{number}"),
        request=request(),
        status=OperationStatus.QUEUED,
        created_at=NOW,
    )


def notice(operation: str, message: str):
    def make(seq: int) -> Event:
        return Event(seq=seq, at=NOW, operation=operation, kind=EventKind.NOTICE, message=message)

    return make


def written(database: Database, operation: str) -> tuple[Event, ...]:
    with database.read() as connection:
        return events_after(connection, operation, 0)


def test_events_are_seen_before_they_are_written(database: Database, journal: Journal) -> None:
    with database.write():
        # Nobody else can write now, so what is read cannot come from the database.
        event = journal.append("op-1", notice("op-1", "one"))
        assert journal.after("op-1", 0) == (event,)

    journal.flush()
    assert written(database, "op-1") == (event,)


def test_who_has_seen_what_was_never_written_misses_nothing_of_the_next_process(
    database: Database,
) -> None:
    died = Journal(database)
    died.append("op-1", notice("op-1", "written"))
    died.close()
    journal = Journal(database)
    journal.resume("op-1")
    again = journal.append("op-1", notice("op-1", "again"))
    more = journal.append("op-1", notice("op-1", "more"))
    seen_of_the_first = 41
    assert journal.after("op-1", seen_of_the_first) == (again, more)
    assert journal.after("op-1", again.seq) == (more,)
    journal.close()
    assert [event.message for event in written(database, "op-1")] == ["written", "again", "more"]


def test_all_that_comes_in_a_moment_is_written_without_being_asked(
    database: Database, journal: Journal
) -> None:
    told = [journal.append("op-1", notice("op-1", str(number))) for number in range(40)]

    deadline = time.monotonic() + TIMEOUT_S
    while len(written(database, "op-1")) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert written(database, "op-1") == tuple(told)


def test_every_operation_counts_for_itself(journal: Journal) -> None:
    seqs = [
        journal.append(operation, notice(operation, "x")).seq
        for operation in ("op-1", "op-2", "op-1", "op-2")
    ]

    assert seqs == [1, 1, 2, 2]


def test_many_threads_make_one_gapless_sequence(database: Database, journal: Journal) -> None:
    def tell() -> None:
        for number in range(50):
            journal.append("op-1", notice("op-1", str(number)))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    journal.flush()
    assert [event.seq for event in written(database, "op-1")] == list(range(1, 201))


def test_the_count_goes_on_after_a_restart(database: Database, journal: Journal) -> None:
    journal.append("op-1", notice("op-1", "before"))
    journal.close()

    later = Journal(database)
    event = later.append("op-1", notice("op-1", "after"))

    assert event.seq == 2
    assert [e.message for e in later.after("op-1", 0)] == ["before", "after"]
    assert later.after("op-1", 1) == (event,)
    later.close()


def test_the_last_event_is_committed_together_with_the_ending(
    database: Database, journal: Journal
) -> None:
    journal.append("op-1", notice("op-1", "first"))

    def fail(_connection: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        journal.settle("op-1", notice("op-1", "last"), fail)
    assert written(database, "op-1") == ()
    assert [event.message for event in journal.after("op-1", 0)] == ["first"]

    journal.settle("op-1", notice("op-1", "last"), lambda _connection: None)
    assert [event.message for event in written(database, "op-1")] == ["first", "last"]
    assert journal.after("op-1", 0) == written(database, "op-1")


def test_a_reader_that_waits_is_woken_by_the_next_event(journal: Journal) -> None:
    seen: list[tuple[Event, ...]] = []
    reader = threading.Thread(target=lambda: seen.append(journal.wait("op-1", 0, TIMEOUT_S)))
    reader.start()
    journal.append("op-2", notice("op-2", "not for you"))
    event = journal.append("op-1", notice("op-1", "for you"))
    reader.join(TIMEOUT_S)

    assert seen == [(event,)]


def test_a_reader_waits_no_longer_than_it_said(journal: Journal) -> None:
    began = time.monotonic()

    assert journal.wait("op-1", 0, 0.05) == ()
    assert time.monotonic() - began < 5


def test_listeners_hear_of_every_event_until_they_stop(journal: Journal) -> None:
    heard: list[str] = []
    stop = journal.listen(heard.append)
    journal.append("op-1", notice("op-1", "x"))
    journal.settle("op-1", notice("op-1", "end"), lambda _connection: None)
    stop()
    stop()
    journal.append("op-2", notice("op-2", "y"))

    assert heard == ["op-1", "op-1"]


def test_an_event_comes_back_from_the_database_as_it_went_in(
    database: Database, journal: Journal
) -> None:
    full = Event(
        seq=1,
        at=NOW,
        operation="op-1",
        kind=EventKind.RESULT,
        phase="machines",
        machine="db1",
        message="text",
        seconds=0.25,
        status=OperationStatus.FAILED,
        code="E_X",
        hint="try again",
        exit_code=1,
    )
    journal.append("op-1", lambda seq: replace(full, seq=seq))
    journal.flush()

    assert written(database, "op-1") == (full,)
