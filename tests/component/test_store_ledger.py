"""The ledger's tables and named queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, StatementError
from tests.component.app_stage import make_stack, request
from tests.databases import make_database

from greenroom.errors import RefusedError
from greenroom.model.events import OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Claim, Proof, Verdict
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.requests import CreateRequest, DeployRequest, DestroyRequest, Request
from greenroom.model.views import EnvironmentStatus
from greenroom.store import codec
from greenroom.store.database import Database
from greenroom.store.environments import (
    SUBNETS,
    EnvironmentRecord,
    Findings,
    branches_by_slug,
    find_environment,
    find_findings,
    insert_environment,
    list_environments,
    lowest_free_index,
    save_proof,
    set_status,
)
from greenroom.store.intents import open_intents, record_intents, undo_intents
from greenroom.store.operations import (
    Ending,
    OperationRecord,
    find_operation,
    finish_operation,
    insert_operation,
    unfinished_on,
    unfinished_operations,
)
from greenroom.store.tables import environments

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAME = EnvironmentName("photos", "feature-x")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = make_database(tmp_path)
    database.migrate()
    yield database
    database.close()


def environment(branch: str = "feature_x", index: int = 0) -> EnvironmentRecord:
    stack = make_stack(Path("/srv"), request(branch), index=index)
    return EnvironmentRecord(
        name=stack.environment,
        subnet_index=index,
        secret="hush",
        status=EnvironmentStatus.CREATING,
        stack=stack,
        created_by="op-1",
        created_at=NOW,
    )


def operation(identifier: str = "op-1", asked: Request | None = None) -> OperationRecord:
    return OperationRecord(
        id=identifier,
        kind="create",
        environment=NAME,
        request=asked or request(),
        status=OperationStatus.QUEUED,
        created_at=NOW,
    )


def test_an_environment_comes_back_as_it_went_in(database: Database) -> None:
    record = environment()
    with database.write() as connection:
        insert_environment(connection, record)

    with database.read() as connection:
        assert find_environment(connection, NAME) == record
        assert list_environments(connection) == (record,)
        assert branches_by_slug(connection, "photos") == {"feature-x": "feature_x"}
        assert branches_by_slug(connection, "videos") == {}


def test_neither_a_record_nor_an_error_of_the_database_shows_the_secret(
    database: Database,
) -> None:
    with database.write() as connection:
        insert_environment(connection, environment())

    with pytest.raises(IntegrityError) as error, database.write() as connection:
        insert_environment(connection, environment())

    assert "hush" not in str(error.value)
    assert "hush" not in repr(environment())


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (
            "create",
            CreateRequest(
                blueprint=Path("/srv/greenroom.yaml"),
                machines=("backend=2", "db"),
                branch="Feature/X ✨",
                restore=(("db", "extract:cold"),),
                mounts=(("backend", "/srv/src"),),
            ),
        ),
        ("deploy", DeployRequest(environment="feature-x", types=("backend",))),
        ("destroy", DestroyRequest(environment="feature-x", confirm="feature-x")),
    ],
)
def test_a_request_comes_back_as_it_went_in(kind: str, asked: Request) -> None:
    assert codec.load_request(kind, codec.dump_request(asked)) == asked


def test_times_are_utc_whatever_zone_they_came_in(database: Database) -> None:
    at = NOW.astimezone(timezone(timedelta(hours=5)))
    with database.write() as connection:
        insert_operation(connection, replace(operation(), created_at=at))

    with database.read() as connection:
        record = find_operation(connection, "op-1")
    assert record is not None
    assert record.created_at == NOW
    assert record.created_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = replace(operation(), created_at=NOW.replace(tzinfo=None))

    with pytest.raises(StatementError, match="has no time zone"), database.write() as connection:
        insert_operation(connection, naive)


def test_the_database_itself_refuses_a_second_unfinished_operation(database: Database) -> None:
    with database.write() as connection:
        insert_operation(connection, operation("op-1"))

    with pytest.raises(IntegrityError), database.write() as connection:
        insert_operation(connection, operation("op-2"))

    ended = Ending(status=OperationStatus.SUCCEEDED, exit_code=0)
    with database.write() as connection:
        finish_operation(connection, "op-1", ended, NOW)
        insert_operation(connection, operation("op-2"))
    with database.read() as connection:
        held_by = unfinished_on(connection, NAME)
        assert held_by is not None
        assert held_by.id == "op-2"
        assert [record.id for record in unfinished_operations(connection)] == ["op-2"]


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        insert_operation(connection, operation())
        raise RuntimeError

    with database.read() as connection:
        assert find_operation(connection, "op-1") is None


@settings(max_examples=20, deadline=None)
@given(taken=st.sets(st.integers(min_value=0, max_value=SUBNETS - 1)))
def test_the_lowest_free_subnet_is_given(taken: set[int]) -> None:
    database = Database("sqlite://")
    with database.write() as connection:
        environments.create(connection)
        take(connection, taken)
        free = set(range(SUBNETS)) - taken
        if free:
            assert lowest_free_index(connection) == min(free)
    database.close()


def test_a_full_region_refuses(database: Database) -> None:
    with database.write() as connection:
        take(connection, set(range(SUBNETS)))
        with pytest.raises(RefusedError) as refused:
            lowest_free_index(connection)

    assert refused.value.code == "E_REGION_FULL"
    assert refused.value.message == "all 255 subnets of this region are taken by environments"


def take(connection, indices: set[int]) -> None:
    rows = [
        {
            "name": f"photos/b{index}",
            "stack": "photos",
            "slug": f"b{index}",
            "branch": f"b{index}",
            "subnet_index": index,
            "secret": "",
            "status": "ready",
            "production": False,
            "stack_json": "",
            "verdict": "proved",
            "reports_json": "[]",
            "created_by": "op-1",
            "created_at": NOW,
        }
        for index in indices
    ]
    if rows:
        connection.execute(insert(environments), rows)


def test_two_environments_never_share_a_subnet(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        insert_environment(connection, environment("a", index=7))
        insert_environment(connection, environment("b", index=7))


UNPROVED = Proof(at=NOW, claims=(), flows=())


def proved() -> Proof:
    claim = Claim(subject="db1", claim="runs", verdict=Verdict.PROVED, evidence="seen")
    return Proof(at=NOW, claims=(claim,), flows=())


def test_the_first_proof_that_holds_dates_the_environment_ready(database: Database) -> None:
    record = environment()
    with database.write() as connection:
        insert_environment(connection, record)
        save_proof(connection, record, proved(), NOW)
        record = stored(connection)
        save_proof(connection, record, UNPROVED, NOW + timedelta(hours=1))
        assert stored(connection).status is EnvironmentStatus.NOT_PROVED
        save_proof(connection, stored(connection), proved(), NOW + timedelta(hours=2))

    with database.read() as connection:
        record = stored(connection)
        assert (record.status, record.ready_at) == (EnvironmentStatus.READY, NOW)
        findings = find_findings(connection, NAME)
    assert findings == Findings(proof=proved())


def test_a_late_proof_neither_revives_what_is_destroyed_nor_speaks_for_a_namesake(
    database: Database,
) -> None:
    record = environment()
    with database.write() as connection:
        insert_environment(connection, record)
        set_status(connection, NAME, EnvironmentStatus.DESTROYING)
        save_proof(connection, record, proved(), NOW)
        assert stored(connection).status is EnvironmentStatus.DESTROYING
        set_status(connection, NAME, EnvironmentStatus.CREATING)
        save_proof(connection, replace(record, created_by="op-0"), proved(), NOW)
        assert stored(connection).status is EnvironmentStatus.CREATING


def stored(connection) -> EnvironmentRecord:
    record = find_environment(connection, NAME)
    assert record is not None
    return record


def test_intents_are_open_until_they_are_undone(database: Database) -> None:
    link = Resource(kind=ResourceKind.LINK, name="veth3")
    mount = Resource(kind=ResourceKind.MOUNT, name="/run/x")
    with database.write() as connection:
        insert_operation(connection, operation())
        record_intents(connection, "op-1", NAME, (mount, link), NOW)
        assert open_intents(connection, NAME) == (link, mount)
        assert open_intents(connection, EnvironmentName("photos", "other")) == ()
        undo_intents(connection, NAME, (mount,), NOW)
        assert open_intents(connection, NAME) == (mount,)
        undo_intents(connection, NAME, (), NOW + timedelta(seconds=1))
        assert open_intents(connection, NAME) == ()


def test_readers_see_a_snapshot_and_never_wait_for_a_writer(database: Database) -> None:
    with database.write() as writing:
        insert_operation(writing, operation())
        with database.read() as reading:
            assert find_operation(reading, "op-1") is None


def test_sqlite_is_set_up_as_the_ledger_needs_it(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path / "ledger.db")
    database.migrate()
    with database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 30_000,
    }
    with database.read() as connection:
        assert connection.execute(select(environments)).all() == []
    database.close()


def test_only_a_deferred_write_may_be_lost_in_a_power_failure(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path / "ledger.db")
    found = []
    # One after the other on the same pooled connection: the setting must not stay behind.
    for write in (database.write, database.write_deferred, database.write):
        with write() as connection:
            found.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    database.close()
    assert found == [2, 1, 2]
