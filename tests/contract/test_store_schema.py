"""The ledger's schema: migrations and tables are one, and a failed migration leaves nothing."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from tests.databases import make_database

from greenroom import store
from greenroom.errors import HostError
from greenroom.store.database import HEAD
from greenroom.store.tables import metadata


def _know_every_table() -> None:
    """A domain's tables are known once their module is imported."""
    for module in pkgutil.iter_modules(store.__path__, "greenroom.store."):
        if module.name.endswith("tables"):
            importlib.import_module(module.name)


_know_every_table()


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(files("greenroom.store") / "migrations"))

    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_the_migrations_make_the_tables_that_the_queries_use(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    database.migrate()

    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        indexes = {index["name"]: index for index in inspect(connection).get_indexes("operations")}
        dialect = connection.dialect.name
    only_if = str(indexes["operations_one_unfinished"]["dialect_options"][f"{dialect}_where"])
    assert "'queued'" in only_if
    assert "'running'" in only_if
    database.close()


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        database = make_database(tmp_path)
        database.migrate()
        database.close()


def test_a_migration_that_fails_half_way_is_undone_and_can_be_tried_again(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    with database.write() as connection:
        # In the way of the last table, so that three are made before it fails.
        connection.exec_driver_sql("CREATE TABLE intents (x INTEGER)")

    with pytest.raises(DBAPIError, match="already exists"):
        database.migrate()

    with database.write() as connection:
        assert inspect(connection).get_table_names() == ["intents"]
        connection.exec_driver_sql("DROP TABLE intents")
    database.migrate()
    with database.read() as connection:
        assert set(metadata.tables) < set(inspect(connection).get_table_names())
    database.close()


def test_a_ledger_of_a_newer_greenroom_is_refused(tmp_path: Path) -> None:
    database = make_database(tmp_path)
    database.migrate()
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(HostError, match=f"has schema 9999, this greenroom knows {HEAD}"):
        database.migrate()
    database.close()
