"""A drill on demand restores beside the environment, or replaces it while a client reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.app.timings import Timings
from greenroom.errors import GreenroomError
from greenroom.jobs.memory import Crash
from greenroom.model.events import OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.requests import CreateRequest, DrillRequest
from greenroom.model.stack import Machine, Stack
from greenroom.model.timings import TimedKind
from greenroom.model.views import EnvironmentStatus
from greenroom.model.visits import Answer
from greenroom.providers.memory.provider import MemoryProvider
from greenroom.store.operations import request_cancel

RESTORE = DrillRequest(environment="feature-x")
THROW_AWAY = DrillRequest(environment="feature-x", throw_away=True)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.run(request())
    stage.watched()
    yield stage
    stage.close()


def test_every_data_source_is_restored_cold_and_nothing_of_it_stays(stage: Stage) -> None:
    before, calls = stage.observe(), len(stage.world.calls)

    operation, result = stage.run(RESTORE)

    assert operation.status is OperationStatus.SUCCEEDED
    assert result.message == "photos/feature-x: restored cold and verified by drill-db"
    assert [phase for phase, _ in stage.world.calls[calls:]] == ["images", "images", "drill"]
    assert stage.observe() == before
    (timed,) = Timings(stage.database).of_operation(operation.id)
    assert (timed.kind, timed.machine, timed.restore_s, timed.boot_s, timed.verdict) == (
        *(TimedKind.DRILL, "drill-db", 2.5, 0.001, Verdict.PROVED),
    )
    # The environment itself is not touched, and its proof still holds.
    assert stage.control.environments()[0].status is EnvironmentStatus.READY


def test_a_restore_that_fails_is_kept_as_failed_and_leaves_nothing(stage: Stage) -> None:
    before = stage.observe()
    stage.world.faults.fail_at = "drill"

    operation, result = stage.run(RESTORE)

    assert (operation.status, result.code) == (OperationStatus.FAILED, "E_SIMULATED")
    assert stage.observe() == before
    (timed,) = Timings(stage.database).of_operation(operation.id)
    assert (timed.machine, timed.restore_s, timed.verdict) == ("drill-db", None, Verdict.FAILED)
    assert stage.control.environments()[0].status is EnvironmentStatus.READY


def test_a_restore_that_is_cancelled_says_nothing_of_the_past(stage: Stage) -> None:
    stage.world.faults.hang_at = "drill"
    operation = stage.control.submit(RESTORE)
    assert stage.world.wait_until_hanging(20)
    stage.control.cancel(operation.id)

    ended, _ = stage.finish(operation.id)

    assert ended.status is OperationStatus.CANCELLED
    assert Timings(stage.database).of_operation(operation.id) == ()
    assert stage.observe() == stage.intents()


@pytest.mark.parametrize("step", ["images", "drill drill-db"])
def test_a_restore_that_a_crash_interrupted_is_completed(stage: Stage, step: str) -> None:
    stage.control.close()
    stage.rise(crash_after=step)
    operation = stage.control.submit(RESTORE).id
    stage.control.close()

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    (timed,) = Timings(stage.database).of_operation(operation)
    assert (timed.restore_s, timed.verdict) == (2.5, Verdict.PROVED)
    assert stage.observe() == stage.intents()


def test_throwing_away_tells_what_a_client_saw(stage: Stage) -> None:
    operation, _ = stage.run(THROW_AWAY)

    assert operation.status is OperationStatus.SUCCEEDED
    (timed,) = Timings(stage.database).of_operation(operation.id)
    assert (timed.kind, timed.machine, timed.verdict) == (
        *(TimedKind.DRILL, "backend1", Verdict.PROVED),
    )
    assert timed.seen is not None and timed.seen.whole
    assert timed.seen.requests >= 2
    assert timed.seen.longest_gap_s is not None
    assert stage.observe() == stage.intents() != ()


def test_a_client_meets_errors_while_the_only_machine_is_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    met, visits = threading.Event(), MemoryProvider.visit

    def visit(provider: MemoryProvider, stack: Stack, machine: Machine) -> Answer:
        answer = visits(provider, stack, machine)
        if answer.fault:
            met.set()
        return answer

    monkeypatch.setattr(MemoryProvider, "visit", visit)
    stage.world.faults.hang_at = "boot-anew"
    operation = stage.control.submit(THROW_AWAY)
    assert stage.world.wait_until_hanging(20)
    assert met.wait(20)
    stage.world.release()
    stage.finish(operation.id)

    (timed,) = Timings(stage.database).of_operation(operation.id)

    assert timed.seen is not None
    assert [kind for kind, _ in timed.seen.errors] == ["503"]
    assert dict(timed.seen.errors)["503"] < timed.seen.requests


STEPS = ("before", "throw away backend1", "boot backend1", "proof backend1", "seen backend1")


@pytest.mark.parametrize("step", STEPS)
def test_a_drill_that_a_crash_interrupted_says_what_its_client_missed(
    stage: Stage, step: str
) -> None:
    stage.control.close()
    stage.rise(crash_after=step)
    operation = stage.control.submit(THROW_AWAY).id
    stage.control.close()

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    (timed,) = Timings(stage.database).of_operation(operation)
    assert timed.seen is not None
    # Only a client that read from before to after has seen the whole.
    assert timed.seen.whole == (step in ("before", "seen backend1"))
    assert stage.observe() == stage.intents() != ()


def test_the_client_leaves_also_when_the_machine_does_not_come_back(stage: Stage) -> None:
    stage.world.faults.fail_at = "boot-anew"
    operation, _ = stage.run(THROW_AWAY)
    assert operation.status is OperationStatus.FAILED
    assert [t.name for t in threading.enumerate() if t.name.startswith("visitor-")] == []
    assert stage.control.environments()[0].status is EnvironmentStatus.FAILED


def refusal(stage: Stage, asked: DrillRequest) -> GreenroomError:
    with pytest.raises(GreenroomError) as caught:
        stage.control.submit(asked)
    return caught.value


def test_what_cannot_be_drilled_is_refused(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    drafts = stage.draft

    def bare(asked: CreateRequest) -> object:
        draft = drafts(asked)

        def resolve(*where: object) -> Stack:
            stack = draft.resolve(*where)  # type: ignore[arg-type]
            (database,) = [m for m in stack.machines if m.volume is not None]
            if asked.branch == "only_data":
                return replace(stack, machines=(database,))
            machines = tuple(replace(m, endpoint=None) for m in stack.machines)
            return replace(stack, machines=machines, drills=())

        return replace(draft, resolve=resolve)

    stage.control._acceptance._planner = bare  # type: ignore[assignment]
    stage.run(request())
    stage.run(request("only_data"))

    nothing = refusal(stage, RESTORE)
    assert (nothing.code, nothing.message) == (
        "E_NOTHING_TO_DRILL",
        "photos/feature-x has no data volume that is a clone of a restored one",
    )
    unread = refusal(stage, THROW_AWAY)
    assert (unread.code, unread.message) == (
        "E_NO_ENDPOINT",
        "photos/feature-x has no endpoint that a client could read meanwhile",
    )
    stateless = refusal(stage, DrillRequest(environment="only-data", throw_away=True))
    assert (stateless.code, stateless.message, stateless.hint) == (
        "E_NOTHING_STATELESS",
        "photos/only-data: every machine has a data volume, so none is stateless",
        "name what shall be replaced, it keeps its volume: greenroom replace photos/only-data db1",
    )
    stage.close()


def test_a_restore_of_what_is_not_there_is_refused_before_anything_is_made(stage: Stage) -> None:
    (stage.folder / "extracts" / "manifest.json").unlink()
    assert refusal(stage, RESTORE).code == "E_EXTRACT_MISSING"


def test_production_is_thrown_away_only_if_its_name_is_typed_and_restored_without(
    stage: Stage,
) -> None:
    stage.run(request("master"))
    error = refusal(stage, DrillRequest(environment="master", throw_away=True))
    assert (error.code, error.hint) == (
        "E_PRODUCTION",
        "greenroom drill photos/master --throw-away --confirm photos/master",
    )
    assert stage.run(DrillRequest(environment="master"))[0].status is OperationStatus.SUCCEEDED


def test_a_drill_that_is_cut_in_half_is_run_again(stage: Stage) -> None:
    stage.world.faults.fail_at, stage.world.faults.error = "drill", Crash("drill")
    operation = stage.control.submit(RESTORE).id
    stage.control.close()
    stage.world.faults.fail_at = None
    stage.rise()
    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    assert stage.observe() == stage.intents()


def test_a_drill_that_is_cancelled_as_its_daemon_dies_leaves_no_machine(stage: Stage) -> None:
    before = stage.observe()
    stage.world.faults.fail_at, stage.world.faults.error = "drill", Crash("drill")
    operation = stage.control.submit(RESTORE).id
    stage.control.close()
    assert stage.observe() != before
    with stage.database.write() as connection:
        request_cancel(connection, operation)
    stage.world.faults.fail_at = None

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.CANCELLED
    assert stage.observe() == before
