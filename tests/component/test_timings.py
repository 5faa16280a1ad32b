"""How long things took is kept when they end, and when their environment is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.component.api_stage import standing
from tests.component.app_stage import Stage, request

from greenroom.app.timings import Timings
from greenroom.model.proof import Verdict
from greenroom.model.requests import DestroyRequest, RecoverRequest
from greenroom.model.timings import Seen, TimedKind, Timing
from greenroom.store import timings as store
from greenroom.store.database import Database
from greenroom.store.timings import newest_timings, record_timings, timings_of

AT = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.in_file(tmp_path / "other.db")
    database.migrate()
    yield database
    database.close()


def row(stack: str = "photos", operation: str = "op-1", **more: object) -> Timing:
    fields = {
        "at": AT,
        "operation": operation,
        "environment": f"{stack}/feature-x",
        "stack": stack,
        "kind": TimedKind.DRILL,
        "machine": "backend1",
        "restore_s": None,
        "boot_s": 0.4,
        "total_s": 1.2,
        "verdict": Verdict.PROVED,
    }
    return Timing(**(fields | more))  # type: ignore[arg-type]


def test_a_create_is_timed_and_outlives_its_environment(stage: Stage) -> None:
    operation, _ = stage.run(request())
    stage.run(DestroyRequest(environment="feature-x"))

    (timed,) = Timings(stage.database).newest("photos", 10)

    assert (timed.operation, timed.kind, timed.machine) == (operation.id, TimedKind.CREATE, None)
    # The golden volume was restored long ago; this time it was cloned.
    assert (timed.restore_s, timed.boot_s, timed.verdict) == (0.004, 0.001, Verdict.PROVED)
    assert operation.ended_at is not None
    assert 0 < timed.total_s <= (operation.ended_at - operation.created_at).total_seconds()


def test_a_create_that_failed_is_timed_as_failed_and_one_that_was_cancelled_is_not(
    stage: Stage,
) -> None:
    stage.world.faults.fail_at = "machines"
    failed, _ = stage.run(request())
    stage.world.faults.fail_at, stage.world.faults.hang_at = None, "machines"
    cancelled = stage.create()
    assert stage.world.wait_until_hanging(20)
    stage.control.cancel(cancelled.id)
    stage.finish(cancelled.id)

    (timed,) = Timings(stage.database).newest(None, 10)

    assert (timed.operation, timed.verdict) == (failed.id, Verdict.FAILED)
    assert (timed.boot_s, timed.restore_s) == (None, None)


def test_a_recovery_is_timed_without_a_restore(stage: Stage) -> None:
    stage.run(request())
    stage.watched()
    stage.world.reboot()
    operation, _ = stage.run(RecoverRequest(environment="feature-x"))

    timed = Timings(stage.database).of_operation(operation.id)

    assert [(t.kind, t.restore_s, t.verdict) for t in timed] == [
        (TimedKind.RECOVER, None, Verdict.PROVED)
    ]


def test_what_is_kept_comes_back_as_it_was_newest_first(database: Database) -> None:
    seen = Seen(requests=40, errors=(("503", 2), ("timeout", 1)), longest_gap_s=1.5, slowest_s=0.9)
    rows = (row(seen=seen), row("shop", machine=None, restore_s=3.5), row(operation="op-2"))
    with database.write() as connection:
        record_timings(connection, rows)
    with database.read() as connection:
        assert newest_timings(connection, None, 10) == tuple(reversed(rows))
        assert newest_timings(connection, "photos", 1) == (rows[2],)
        assert timings_of(connection, "op-1") == rows[:2]


def test_only_the_newest_of_each_stack_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "KEPT_PER_STACK", 5)
    with database.write() as connection:
        record_timings(connection, [row("shop")])
        for number in range(9):
            record_timings(connection, [row(operation=f"op-{number}", total_s=float(number))])
    with database.read() as connection:
        kept = newest_timings(connection, "photos", 100)
        assert [timed.operation for timed in kept] == [f"op-{n}" for n in (8, 7, 6, 5, 4)]
        assert len(newest_timings(connection, "shop", 100)) == 1


def test_the_api_gives_them_by_stack_and_bounds_how_many(tmp_path: Path) -> None:
    with standing(tmp_path) as stage:
        rows = [row(), row("shop"), row(operation="op-2")]
        with stage.stage.database.write() as connection:
            record_timings(connection, rows)
        everything, photos = stage.token("viewer"), stage.token("viewer", "photos")

        newest = stage.ask("GET", "/v1/drills?stack=photos&limit=1", photos)

        assert newest.status_code == 200
        found = newest.json()
        assert [(t["operation"], t["kind"], t["total_s"]) for t in found] == [
            ("op-2", "drill", 1.2)
        ]
        assert len(stage.ask("GET", "/v1/drills", everything).json()) == 3
        assert len(stage.ask("GET", "/v1/drills", photos).json()) == 2
        assert stage.ask("GET", "/v1/drills?stack=nobody", everything).json() == []
        assert stage.ask("GET", "/v1/drills?stack=shop", photos).status_code == 403
        for limit in (0, 2001):
            refused = stage.ask("GET", f"/v1/drills?limit={limit}", photos)
            assert (refused.status_code, refused.json()["code"]) == (400, "E_REQUEST")
        assert stage.ask("GET", "/v1/operations/op-2/timings", photos).status_code == 404
        made = stage.stage.create().id
        stage.stage.finish(made)
        assert len(stage.ask("GET", f"/v1/operations/{made}/timings", photos).json()) > 0
