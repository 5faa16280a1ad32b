"""A ledger in PostgreSQL: one daemon writes it, and a server that goes away comes back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.databases import PostgresServer, make_server

from greenroom.errors import HostError, InputError, RefusedError
from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import DeployRequest
from greenroom.store import journal as journals
from greenroom.store import postgresql
from greenroom.store.database import Database
from greenroom.store.journal import Journal
from greenroom.store.operations import OperationRecord, insert_operation

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OPERATION = OperationRecord(
    id="op-1",
    kind="deploy",
    environment=EnvironmentName("photos", "feature-x"),
    request=DeployRequest(environment="feature-x"),
    status=OperationStatus.RUNNING,
    created_at=NOW,
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = make_server()
    yield made
    made.remove()


@pytest.fixture
def url(server: PostgresServer, tmp_path: Path) -> str:
    return server.url_of(tmp_path)


@pytest.fixture
def ledger(url: str) -> Iterator[Database]:
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def test_a_second_daemon_is_refused_and_told_who_holds_the_ledger(
    ledger: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_LOCK_PATIENCE_S", 0.2)
    with ledger.write() as connection:
        connection.execute(text("CREATE TABLE kept (x INTEGER)"))
    second = Database(url)

    with pytest.raises(RefusedError) as refused, second.write():
        pass

    assert refused.value.code == "E_LEDGER_HELD"
    assert refused.value.message.endswith(f" {os.getpid()}")
    assert " is held by greenroom " in refused.value.message
    # Whoever only looks may look.
    with second.read() as connection:
        assert connection.execute(text("SELECT * FROM kept")).all() == []
    second.close()


def test_the_next_daemon_has_the_ledger_when_the_former_is_gone(ledger: Database, url: str) -> None:
    with ledger.write():
        pass
    second = Database(url)
    # Within its patience: as after a kill, when the server has not yet noticed.
    leaving = threading.Timer(0.3, ledger.close)
    leaving.start()

    with second.write() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    leaving.join()
    second.close()


def test_a_server_that_is_away_is_named_and_work_goes_on_when_it_is_back(
    ledger: Database, url: str, server: PostgresServer
) -> None:
    with ledger.write() as connection:
        connection.execute(text("CREATE TABLE kept (x INTEGER)"))
        connection.execute(text("INSERT INTO kept VALUES (1)"))
    server.stop()
    try:
        for way in (ledger.read, ledger.write, ledger.write_deferred):
            with pytest.raises(HostError) as away, way():
                pass
            assert away.value.code == "E_LEDGER_AWAY"
            assert away.value.message.startswith("the ledger postgresql+psycopg://postgres@/")
            assert away.value.hint == (
                "start the PostgreSQL server; what waits for it goes on by itself"
            )
    finally:
        server.start()

    with ledger.write() as connection:
        connection.execute(text("INSERT INTO kept VALUES (2)"))
    with ledger.read() as connection:
        assert connection.execute(text("SELECT x FROM kept ORDER BY x")).scalars().all() == [1, 2]


def test_a_transaction_that_the_server_cuts_is_not_half_there(
    ledger: Database, server: PostgresServer
) -> None:
    with ledger.write() as connection:
        connection.execute(text("CREATE TABLE kept (x INTEGER)"))
    with pytest.raises(HostError, match="does not answer"), ledger.write() as connection:
        connection.execute(text("INSERT INTO kept VALUES (1)"))
        server.stop()
        connection.execute(text("INSERT INTO kept VALUES (2)"))
    server.start()

    with ledger.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM kept")) == 0


def test_who_loses_the_lock_with_the_server_does_not_write_beside_its_successor(
    ledger: Database, url: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_LOCK_PATIENCE_S", 0.2)
    with ledger.write():
        pass
    server.stop()
    server.start()
    successor = Database(url)
    with successor.write():
        pass

    with pytest.raises(HostError, match="is held by greenroom") as held, ledger.write():
        pass
    assert held.value.code == "E_LEDGER_AWAY"
    successor.close()
    with ledger.write() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_an_ending_waits_for_the_server(
    ledger: Database, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_RETRY_S", 0.05)
    journal = Journal(ledger)
    written: list[str] = []
    with ledger.write() as connection:
        insert_operation(connection, OPERATION)
    server.stop()
    ending = threading.Thread(
        target=partial(journal.settle, "op-1", result, lambda connection: written.append("yes"))
    )
    ending.start()
    assert ending.is_alive()
    assert written == []

    server.start()
    ending.join(30)
    journal.close()
    assert not ending.is_alive()
    assert written == ["yes"]


def result(seq: int) -> Event:
    return Event(seq=seq, at=NOW, operation="op-1", kind=EventKind.RESULT, message="done")


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("mysql://root:hush@localhost/ledger", "mysql"),
        ("ledger.db", "ledger.db"),
        ("", ""),
    ],
)
def test_another_kind_of_database_is_refused_without_its_password(url: str, begins: str) -> None:
    with pytest.raises(InputError) as refused:
        Database(url)
    assert (refused.value.code, refused.value.message) == (
        "E_DATABASE_URL",
        f"the ledger's URL begins with {begins!r}: expected sqlite or postgresql",
    )


def test_a_deferred_write_does_not_wait_for_the_disk(ledger: Database) -> None:
    def setting() -> str:
        return str(connection.scalar(text("SHOW synchronous_commit")))

    found = []
    for way in (ledger.write, ledger.write_deferred, ledger.write):
        with way() as connection:
            found.append(setting())
    assert found == ["on", "off", "on"]
