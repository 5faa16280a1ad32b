"""The daemon is killed over what it does by itself, an expiry, and over what it is in the middle
of; the one that comes after it brings each to its end, and nothing is left running."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from greenroom.model.names import EnvironmentName
from greenroom.store.database import Database
from greenroom.store.lifetimes import extend_environment
from tests.real.books import has_ended, held, journalled, processes, rows
from tests.real.doomed import die_once
from tests.real.reboot import born, command_line, machine_pids, runs
from tests.real.site import STATE, Site, daemon_pid, stop_daemon, wait_until

OUTLIVED = "photos/outlived"
EACH_SECOND = {"GREENROOM_RECONCILE_S": "1"}
TIMEOUT_S = 300.0
UNDECIDED = ("after", "greenroom.app.acceptance", "admit_destroy")
"""It has decided, and written the acceptance, but not committed it."""
DEATHS = (
    # It has accepted, and the engine knows nothing of it.
    ("before", "greenroom.jobs.engine", "DbosEngine.start"),
    # The machines are dead; network, rules and folders are there, or some of them.
    ("after", "greenroom.providers.local.provider", "kill_all"),
    # All is gone and recorded, but the ledger does not say so.
    ("before", "greenroom.app.operation", "Operation.end"),
)


@pytest.fixture(scope="module")
def late(site: Site) -> Iterator[Site]:
    """An environment of one machine that lives for as short as one can; the daemon looks after it
    each second."""
    stop_daemon(site)
    quick = Site(site.folder, EACH_SECOND)
    quick.ok("create", "--machines", "feed", "--branch", "outlived", "--ttl", "1m")
    yield quick
    if any(each["name"] == OUTLIVED for each in quick.data("list")):
        quick.ok("destroy", "outlived")
    stop_daemon(quick)


def test_a_machine_that_was_on_its_way_back_is_there_once(late: Site) -> None:
    # Else its end would come over this.
    late.ok("extend", "outlived", "1h")
    first = {pid: born(pid) for pid in machine_pids("photos.outlived", "feed1")}
    asked = late.start("replace", "outlived", "feed1")
    wait_until(lambda: _has_begun("replace"), TIMEOUT_S)
    doomed = daemon_pid()
    os.kill(doomed, signal.SIGKILL)
    wait_until(lambda: not runs(doomed), TIMEOUT_S)
    asked.communicate(timeout=TIMEOUT_S)

    late.ok("list")
    wait_until(lambda: has_ended(OUTLIVED, "replace"), TIMEOUT_S)

    assert late.data("show", "outlived")["summary"]["status"] == "ready"
    assert held(OUTLIVED) == journalled(OUTLIVED)
    assert [pid for pid, then in first.items() if runs(pid) and born(pid) == then] == []
    supervisors = [
        pid
        for pid in machine_pids("photos.outlived", "feed1")
        if command_line(pid).startswith(b"s6-svscan")
    ]
    assert len(supervisors) == 1
    assert late.inside("outlived", "feed1", "redis-cli ping") == (0, "PONG\n")


def test_an_expiry_outlives_every_daemon_that_dies_over_it(late: Site) -> None:
    stop_daemon(late)
    _let_time_pass()
    pids = machine_pids("photos.outlived", "feed1")
    assert pids and all(map(runs, pids))

    die_once(*UNDECIDED, **EACH_SECOND, IMPATIENT="1")
    # What was not accepted has not begun.
    assert _asked() == []
    assert all(map(runs, pids)) and held(OUTLIVED) == journalled(OUTLIVED)
    for death in DEATHS:
        die_once(*death, **EACH_SECOND)
    late.ok("list")
    wait_until(lambda: has_ended(OUTLIVED, "destroy"), TIMEOUT_S)

    assert held(OUTLIVED) == journalled(OUTLIVED) == set()
    assert processes(OUTLIVED) == set()
    assert not any("outlived" in line for line in Path("/proc/mounts").read_text().splitlines())
    assert [each["name"] for each in late.data("list") if each["name"] == OUTLIVED] == []
    assert _asked() == [("greenroom:reconciler", "accepted"), ("greenroom:reconciler", "succeeded")]


def _let_time_pass() -> None:
    """Its end came while no daemon ran."""
    ledger = Database.in_file(STATE / "ledger" / "ledger.db")
    with ledger.write() as connection:
        name = EnvironmentName.parse(OUTLIVED)
        extend_environment(connection, name, datetime.now(UTC), None)
    ledger.close()


def _asked() -> list[tuple[str, str]]:
    """Who asked for its end, and how that ended, by the audit log."""
    query = "SELECT caller, outcome FROM audit WHERE subject = ? AND action = 'destroy'"
    return rows(f"{query} ORDER BY seq", OUTLIVED)


def _has_begun(phase: str) -> bool:
    query = (
        "SELECT 1 FROM events JOIN operations ON operations.id = operation "
        "WHERE environment = ? AND events.kind = 'phase-started' AND phase = ?"
    )
    return bool(rows(query, OUTLIVED, phase))
