"""A ledger that an earlier greenroom wrote is read by this one, and none of it is lost.

``ledgers/NUMBER.sql`` is a dump of a ledger that the last greenroom with that schema wrote: creates
of branches and of production, a deploy, a destroy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from pydantic import TypeAdapter
from sqlalchemy import Connection, MetaData, select, text
from tests.databases import make_database

from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.inventory import Health, MachineRecord
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.views import EnvironmentStatus
from greenroom.store.database import HEAD, Database
from greenroom.store.environments import find_environment, find_findings, list_environments
from greenroom.store.events import events_after, phases_done
from greenroom.store.inventory import list_machines
from greenroom.store.operations import find_operation, insert_operation, last_operation
from greenroom.store.tables import environments, operations

LEDGERS = sorted((Path(__file__).parent / "ledgers").glob("*.sql"))
FEATURE = EnvironmentName("photos", "feature-x")

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=LEDGERS, ids=lambda path: path.stem)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(request.param.read_text())
    connection.close()
    return path


@pytest.fixture
def ledger(file: Path) -> Iterator[Database]:
    database = Database.in_file(file)
    database.migrate()
    yield database
    database.close()


def test_there_is_a_ledger_of_every_schema_but_those_that_never_left_the_house() -> None:
    """A schema that was released has its dump here; ``HEAD`` is what is being written now."""
    assert [path.stem for path in LEDGERS] == ["0001", "0002"]
    assert LEDGERS[-1].stem < HEAD


def test_no_value_of_an_earlier_ledger_is_lost(file: Path) -> None:
    before = values(file)
    assert all(before.values())

    database = Database.in_file(file)
    database.migrate()
    database.close()

    after = values(file)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0]} for row in after[table]]
        assert kept == rows, table


def values(file: Path) -> Rows:
    """Every row of every table that has any, but for the schema's own number."""
    database = Database.in_file(file)
    found: Rows = {}
    with database.read() as connection:
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                rows = connection.execute(select(table)).mappings()
                found[table.name] = [dict(row) for row in rows]
    database.close()
    return {name: rows for name, rows in found.items() if rows}


def test_environments_of_an_earlier_ledger_are_whole(ledger: Database) -> None:
    with ledger.read() as connection:
        names = [str(record.name) for record in list_environments(connection)]
        assert names[:2] == ["photos/feature-x", "photos/master"]
        feature = find_environment(connection, FEATURE)
        findings = find_findings(connection, FEATURE)
        assert feature is not None
        phases = phases_done(connection, feature.created_by)
    assert (feature.status, feature.verdict) == (EnvironmentStatus.READY, Verdict.PROVED)
    assert [machine.name for machine in feature.stack.machines] == ["backend1", "db1"]
    assert findings.proof is not None
    assert {report.machine for report in findings.reports} == {"backend1", "db1"}
    assert {"network", "machines", "proof"} <= {event.phase for event in phases}


def test_operations_of_an_earlier_ledger_are_whole_and_keep_their_order(ledger: Database) -> None:
    with ledger.read() as connection:
        query = select(operations.c.id, operations.c.kind).order_by(operations.c.accepted)
        found = connection.execute(query).all()
        ended = [find_operation(connection, row.id) for row in found]
        last = events_after(connection, found[-1].id, 0)[-1]
        newest = last_operation(connection, FEATURE)
        assert newest is not None and newest.kind == "deploy"
    assert [row.kind for row in found][:5] == ["create", "create", "create", "deploy", "destroy"]
    assert {record.status for record in ended if record} == {OperationStatus.SUCCEEDED}
    assert {record.asked_by for record in ended if record} == {"root"}
    assert last.kind is EventKind.RESULT


def test_an_earlier_ledger_takes_new_operations_behind_its_own(ledger: Database) -> None:
    with ledger.write() as connection:
        first = connection.scalar(select(operations.c.id).order_by(operations.c.accepted))
        record = find_operation(connection, str(first))
        assert record is not None
        new = type(record)(
            id="op-new",
            kind=record.kind,
            environment=record.environment,
            request=record.request,
            status=OperationStatus.QUEUED,
            created_at=record.created_at,
        )
        insert_operation(connection, new)
        newest = connection.scalar(
            select(operations.c.id).order_by(operations.c.accepted.desc()).limit(1)
        )
        assert newest == "op-new"
        assert connection.scalar(select(environments.c.name).limit(1)) is not None


def test_machines_outlive_the_columns_that_they_were_found_by(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    record = MachineRecord(
        environment="photos/x",
        name="db1",
        stack="photos",
        slug="x",
        branch="x",
        production=False,
        type="db",
        role="db",
        instance_id="i-0",
        instance_type="t3.small",
        address="10.213.0.11",
        private_dns="db1.x.photos.internal",
        public_dns=None,
        services=(("mysql", 3306),),
        groups=(),
        tags=(),
        image="mariadb",
        image_digest="ab",
        artifact_key=None,
        artifact_sha256=None,
        health=Health.HEALTHY,
        failing="",
        since=at,
        health_since=at,
    )
    found_by = ("stack", "slug", "branch", "type", "role", "address", "health")
    row = {name: getattr(record, name) for name in ("environment", "name", *found_by)}
    row["record_json"] = TypeAdapter(MachineRecord).dump_json(record).decode()
    with database.write() as connection:
        _upgrade_to(connection, "0011")
        given = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO machines ({', '.join(row)}) VALUES ({given})"), row)
    database.migrate()
    with database.read() as connection:
        assert list_machines(connection) == (record,)
    database.close()


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("greenroom.store") / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
