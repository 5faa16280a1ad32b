"""The durable engine: DBOS on a SQLite file of its own.

Import this module only where operations run: ``dbos`` alone costs half a second.

What is not used, and why. *Cancelling* a DBOS workflow makes every later step raise, so that it
could not compensate: a cancel is a flag of ours that steps look at. *Queues* are polled, which
would add up to a second to each create: workflows are started directly. *Pickle*, the default
serializer, would tie the file to our classes: a step's result is a string of JSON.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import create_engine, event

from greenroom.jobs.outcome import capture, release
from greenroom.jobs.stopping import stopping
from greenroom.ports import Steps

APPLICATION_VERSION = "1"
"""Pinned: by default it is a hash of the source, and an upgraded daemon would leave the runs of
the old one lying. Raise it only when a kind's steps change their names or order, and then say
what happens to runs that are under way."""

_FAILED = ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_CLOSE_GRACE_S = 60.0


class DbosEngine:
    """The Engine port on DBOS. One per process at a time: DBOS itself is a singleton."""

    def __init__(self, path: Path, *, close_grace_s: float = _CLOSE_GRACE_S) -> None:
        """``path`` is the database file; ``close`` waits ``close_grace_s`` for what runs, and
        leaves what still runs then to the next launch."""
        self._path = path
        self._close_grace_s = close_grace_s
        self._runs: dict[str, Callable[[str, Steps], None]] = {}
        self._workflows: dict[str, Callable[[str], None]] = {}
        self._active: set[str] = set()
        self._idle = threading.Condition()
        self._closing = False
        self._database: SqlEngine | None = None

    def register(self, kind: str, run: Callable[[str, Steps], None]) -> None:
        """``run(operation_id, steps)`` is what an operation of that kind does."""
        self._runs[kind] = run

    def launch(self) -> None:
        """Start, and resume what a crash interrupted (within about a second)."""
        # A handler that drops everything keeps DBOS from installing its own, on the console;
        # warnings still reach whatever the daemon has set up on the root logger.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        self._database = _sqlite(self._path)
        DBOS(config=self._config(self._database))
        for kind, run in self._runs.items():
            self._workflows[kind] = DBOS.workflow(name=f"greenroom.{kind}")(self._workflow(run))
        DBOS.launch()
        self._forget_failed()

    def start(self, kind: str, operation_id: str) -> None:
        """Begin an operation in the background; the id makes it idempotent.

        Blocks for some milliseconds; not for an event loop's own thread.
        """
        if self._closing:
            raise stopping(kind)
        with SetWorkflowID(operation_id):
            DBOS.start_workflow(self._workflows[kind], operation_id)

    def close(self) -> None:
        """Stop taking work and wait for what runs."""
        self._closing = True
        with self._idle:
            self._idle.wait_for(lambda: not self._active, self._close_grace_s)
        DBOS.destroy(destroy_registry=True)
        if self._database is not None:
            self._database.dispose()

    def _workflow(self, run: Callable[[str, Steps], None]) -> Callable[[str], None]:
        def workflow(operation_id: str) -> None:
            with self._idle:
                self._active.add(operation_id)
            try:
                run(operation_id, _DbosSteps())
            finally:
                with self._idle:
                    self._active.discard(operation_id)
                    self._idle.notify_all()

        return workflow

    def _config(self, database: SqlEngine) -> DBOSConfig:
        return {
            "name": "greenroom",
            "system_database_url": f"sqlite:///{self._path}",
            "system_database_engine": database,
            "application_version": APPLICATION_VERSION,
            "executor_id": "greenroom",
            "serializer": DBOSPortableJSONSerializer(),
            "enable_otlp": False,
            "log_level": "WARNING",
        }

    def _forget_failed(self) -> None:
        # A run ends by returning, also when its operation failed. One that raised has met a bug
        # or a full disk, and its operation is unfinished: forgotten, it can be started again.
        failed = DBOS.list_workflows(status=_FAILED, load_input=False, load_output=False)
        if failed:
            DBOS.delete_workflows([workflow.workflow_id for workflow in failed])


class _DbosSteps:
    """DBOS counts the steps of a workflow; results are found again by that count and the name."""

    def run(self, name: str, step: Callable[[], str]) -> str:
        """Run ``step`` once and remember its result; at-least-once."""
        return release(DBOS.run_step({"name": name}, capture, step))


def _sqlite(path: Path) -> SqlEngine:
    """DBOS's own settings for SQLite (immediate transactions), with WAL besides."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        # NORMAL survives kill -9; a power failure may take the last steps back, and steps are
        # made to be run again. The ledger, which must not fall behind this file, uses FULL.
        for pragma in (
            "busy_timeout = 30000",
            "foreign_keys = ON",
            "journal_mode = WAL",
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine
