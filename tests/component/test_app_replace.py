"""A machine that is thrown away comes back as it was declared, or the environment says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.app.timings import Timings
from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.jobs.memory import Crash
from greenroom.model.access import Caller, Grant, Role
from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.requests import DestroyRequest, RecoverRequest, ReplaceRequest
from greenroom.model.stack import Machine, Stack
from greenroom.model.timings import TimedKind
from greenroom.model.views import EnvironmentStatus, MachineReport
from greenroom.ports import Cancellation, Progress
from greenroom.providers.memory.provider import MemoryProvider
from greenroom.store.operations import request_cancel

NAME = EnvironmentName("photos", "feature-x")
STATELESS = ReplaceRequest(environment="feature-x", stateless=True)
BOTH = ReplaceRequest(environment="feature-x", machines=("db1", "backend1"))
STEPS = (
    "before",
    "images",
    "throw away backend1",
    "boot backend1",
    "proof backend1",
    "throw away db1",
    "boot db1",
    "proof db1",
    "publish",
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.run(request())
    stage.watched()
    yield stage
    stage.close()


def status(stage: Stage) -> EnvironmentStatus:
    return stage.control.environments()[0].status


def notices(stage: Stage, operation: str) -> list[str]:
    events = stage.control.events(operation)
    return [event.message for event in events if event.kind is EventKind.NOTICE]


def phases_of(events: tuple[Event, ...], machine: str) -> list[str]:
    return [e.phase for e in events if e.machine == machine and e.kind is EventKind.PHASE_DONE]


def test_stateless_machines_are_thrown_away_and_those_with_data_are_not(stage: Stage) -> None:
    before = stage.control.environment("feature-x")
    calls = len(stage.world.calls)

    operation, result = stage.run(STATELESS)

    assert (operation.kind, operation.status) == ("replace", OperationStatus.SUCCEEDED)
    assert result.message == "photos/feature-x is proved"
    assert [phase for phase, _ in stage.world.calls[calls:]] == [
        *("proof", "images", "images", "throw-away", "boot-anew", "proof", "publish"),
    ]
    after = stage.control.environment("feature-x")
    assert after.summary.status is EnvironmentStatus.READY
    assert after.restores == before.restores != ()
    assert stage.observe() == stage.intents() != ()
    events = stage.control.events(operation.id)
    assert phases_of(events, "backend1") == ["throw-away", "boot", "replace", "proof"]
    assert phases_of(events, "db1") == []
    claims, flows = len(after.proof.claims), len(after.proof.flows)  # type: ignore[union-attr]
    assert f"the same proof as before: {claims} claims, {flows} flows" in notices(
        stage, operation.id
    )


def test_a_machine_with_data_keeps_its_volume_and_what_is_known_of_it(stage: Stage) -> None:
    before = stage.control.environment("feature-x")
    volumes = set(stage.world.held(NAME).volumes)

    operation, _ = stage.run(BOTH)

    assert operation.status is OperationStatus.SUCCEEDED
    assert stage.world.held(NAME).volumes == volumes == {"db1"}
    assert stage.control.environment("feature-x").restores == before.restores


def test_each_machine_is_timed_until_it_was_as_expected_again(stage: Stage) -> None:
    operation, _ = stage.run(BOTH)

    timed = Timings(stage.database).of_operation(operation.id)

    assert [(t.kind, t.machine, t.verdict) for t in timed] == [
        (TimedKind.REPLACE, "backend1", Verdict.PROVED),
        (TimedKind.REPLACE, "db1", Verdict.PROVED),
    ]
    assert all(t.boot_s == 0.001 and 0 < t.total_s < 20 and t.seen is None for t in timed)
    told = [n for n in notices(stage, operation.id) if n.startswith("as expected again")]
    assert told == [f"as expected again {t.total_s:.2f} s after it was thrown away" for t in timed]


def test_while_a_machine_is_away_nothing_is_proved_of_its_environment(stage: Stage) -> None:
    stage.world.faults.hang_at = "boot-anew"
    operation = stage.control.submit(STATELESS)
    assert stage.world.wait_until_hanging(20)

    (view,) = stage.control.environments()

    assert (view.status, view.verdict) == (EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
    assert stage.world.held(NAME).told is None
    with pytest.raises(RefusedError, match=f"is busy: replace {operation.id} runs on it"):
        stage.control.submit(DestroyRequest(environment="feature-x"))
    stage.world.release()
    stage.finish(operation.id)
    assert status(stage) is EnvironmentStatus.READY


@pytest.mark.parametrize("step", STEPS)
def test_a_replace_that_a_crash_interrupted_is_completed(stage: Stage, step: str) -> None:
    stage.control.close()
    stage.rise(crash_after=step)
    operation = stage.control.submit(BOTH).id
    stage.control.close()
    assert not stage.control.operation(operation).status.final

    stage.rise()
    stage.control.bring_back()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()
    assert len(Timings(stage.database).of_operation(operation)) == 2
    kinds = [phase for phase, _ in stage.world.calls]
    assert kinds.count("throw-away") == kinds.count("boot-anew") == 2


@pytest.mark.parametrize("phase", ["throw-away", "boot-anew", "proof", "publish"])
def test_a_step_of_a_replace_that_is_cut_in_half_is_run_again(stage: Stage, phase: str) -> None:
    stage.world.faults.fail_at, stage.world.faults.error = phase, Crash(phase)
    operation = stage.control.submit(STATELESS).id
    stage.control.close()
    assert not stage.control.operation(operation).status.final
    stage.world.faults.fail_at = None

    stage.rise()

    assert stage.finish(operation)[0].status is OperationStatus.SUCCEEDED
    assert stage.observe() == stage.intents() != ()


def test_what_fails_once_is_booted_once_more_and_the_operation_still_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    boots = iter((True, False))
    works = MemoryProvider.boot_anew

    def fails_first(
        provider: MemoryProvider,
        stack: Stack,
        machine: Machine,
        progress: Progress,
        cancel: Cancellation,
    ) -> MachineReport:
        if next(boots):
            raise stage.world.faults.error
        return works(provider, stack, machine, progress, cancel)

    monkeypatch.setattr(MemoryProvider, "boot_anew", fails_first)

    operation, result = stage.run(STATELESS)

    assert operation.status is OperationStatus.FAILED
    assert (result.code, result.message) == (
        "E_SIMULATED",
        "backend1: the simulated fault; backend1 was booted once more, and runs",
    )
    assert status(stage) is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()


def test_what_fails_while_it_is_thrown_away_is_booted_once_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    throws = MemoryProvider.throw_away
    tries: list[str] = []

    def fails_half_way(provider: MemoryProvider, stack: Stack, machine: Machine) -> None:
        tries.append(machine.name)
        stage.world.faults.fail_at = "throw-away" if len(tries) == 1 else None
        throws(provider, stack, machine)

    monkeypatch.setattr(MemoryProvider, "throw_away", fails_half_way)

    operation, result = stage.run(BOTH)

    assert operation.status is OperationStatus.FAILED
    assert (result.code, result.message) == (
        "E_SIMULATED",
        "backend1: the simulated fault; backend1 was booted once more, and runs",
    )
    assert tries == ["backend1", "backend1"]
    assert status(stage) is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()


def test_what_cannot_be_thrown_away_at_all_fails_the_environment(stage: Stage) -> None:
    stage.world.faults.fail_at = "throw-away"
    operation, result = stage.run(STATELESS)
    assert operation.status is OperationStatus.FAILED
    assert "booting it once more failed too: backend1: the simulated fault" in result.message
    assert status(stage) is EnvironmentStatus.FAILED
    (timed,) = Timings(stage.database).of_operation(operation.id)
    assert (timed.machine, timed.verdict, timed.boot_s) == ("backend1", Verdict.FAILED, None)


def test_a_cancel_of_what_a_crash_left_half_thrown_away_boots_it(stage: Stage) -> None:
    stage.world.faults.fail_at, stage.world.faults.error = "throw-away", Crash("throw-away")
    operation = stage.control.submit(BOTH).id
    stage.control.close()
    with stage.database.write() as connection:
        request_cancel(connection, operation)
    stage.world.faults.fail_at = None

    stage.rise()
    ended, result = stage.finish(operation)

    assert ended.status is OperationStatus.CANCELLED
    assert result.message == (
        "replace of photos/feature-x was cancelled; backend1 was booted once more, and runs"
    )
    assert status(stage) is EnvironmentStatus.READY
    assert phases_of(stage.control.events(operation), "db1") == []
    assert stage.observe() == stage.intents() != ()


def test_what_never_comes_back_fails_the_environment_with_the_reason(stage: Stage) -> None:
    stage.world.faults.fail_at = "boot-anew"

    operation, result = stage.run(STATELESS)

    assert operation.status is OperationStatus.FAILED
    assert result.message == (
        "backend1: the simulated fault; booting it once more failed too: "
        "backend1: the simulated fault"
    )
    assert result.hint == (
        "greenroom logs photos/feature-x may say why; greenroom replace photos/feature-x MACHINE "
        "tries again, greenroom destroy photos/feature-x gives it up"
    )
    assert status(stage) is EnvironmentStatus.FAILED
    incident = stage.control.environment("feature-x").incidents[-1]
    assert incident.message.startswith(
        "a machine did not come back (E_SIMULATED): backend1: the simulated fault; "
    )
    (timed,) = Timings(stage.database).of_operation(operation.id)
    assert (timed.machine, timed.verdict, timed.boot_s) == ("backend1", Verdict.FAILED, None)

    # When what was wrong is mended, the same command brings it back.
    stage.world.faults.fail_at = None
    assert stage.run(STATELESS)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.READY
    assert stage.observe() == stage.intents() != ()


@pytest.mark.parametrize("step", ["boot backend1", "compensate backend1"])
def test_a_crash_within_the_compensation_keeps_the_first_reason(stage: Stage, step: str) -> None:
    stage.control.close()
    stage.world.faults.fail_at = "boot-anew"
    stage.rise(crash_after=step)
    operation = stage.control.submit(STATELESS).id
    stage.control.close()
    stage.world.faults.fail_at = None

    stage.rise()
    ended, result = stage.finish(operation)

    assert (ended.status, result.code) == (OperationStatus.FAILED, "E_SIMULATED")
    # Booted again after the crash, or its failure is recorded: either is told.
    again = step == "boot backend1"
    assert ("was booted once more, and runs" in result.message) == again
    assert status(stage) is (EnvironmentStatus.READY if again else EnvironmentStatus.FAILED)


def test_a_cancel_while_a_machine_is_away_boots_it_and_leaves_the_rest(stage: Stage) -> None:
    stage.world.faults.hang_at = "boot-anew"
    operation = stage.control.submit(BOTH)
    assert stage.world.wait_until_hanging(20)
    stage.world.faults.hang_at = None
    stage.control.cancel(operation.id)

    ended, result = stage.finish(operation.id)

    assert ended.status is OperationStatus.CANCELLED
    assert result.message == (
        "replace of photos/feature-x was cancelled; backend1 was booted once more, and runs"
    )
    assert status(stage) is EnvironmentStatus.READY
    assert phases_of(stage.control.events(operation.id), "db1") == []
    assert stage.observe() == stage.intents() != ()


def test_when_the_proof_does_not_hold_any_more_the_rest_stays_as_it_is(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.app.patience._PAUSES_S", ())
    stage.world.faults.hang_at = "throw-away"
    operation = stage.control.submit(BOTH)
    assert stage.world.wait_until_hanging(20)
    stage.world.faults.verdict, stage.world.faults.hang_at = Verdict.FAILED, None
    stage.world.release()

    ended, result = stage.finish(operation.id)

    assert (ended.status, result.code) == (OperationStatus.FAILED, "E_NOT_PROVED")
    assert status(stage) is EnvironmentStatus.NOT_PROVED
    told = notices(stage, operation.id)
    assert "it is failed: db1 stay as they are" in told
    (differs,) = [notice for notice in told if notice.startswith("what differs")]
    assert "proved before" in differs and "failed now" in differs


def test_what_was_not_proved_before_may_be_mended_by_it(stage: Stage) -> None:
    stage.control.environment("feature-x")
    stage.world.held(NAME).reports.pop("backend1")
    stage.control.prove("feature-x")
    assert status(stage) is EnvironmentStatus.NOT_PROVED

    operation, _ = stage.run(STATELESS)

    assert operation.status is OperationStatus.SUCCEEDED
    assert "before anything is replaced it is failed" in notices(stage, operation.id)
    assert status(stage) is EnvironmentStatus.READY


def refusal(stage: Stage, asked: ReplaceRequest) -> GreenroomError:
    with pytest.raises(GreenroomError) as caught:
        stage.control.submit(asked)
    return caught.value


def test_each_refusal_names_the_value_and_the_next_step(stage: Stage) -> None:
    unknown = refusal(stage, ReplaceRequest(environment="feature-x", machines=("backend2",)))
    assert (unknown.code, unknown.message, unknown.hint) == (
        "E_NO_MACHINE",
        "photos/feature-x: unknown machine 'backend2'; did you mean 'backend1'?",
        "machines of photos/feature-x: backend1, db1",
    )
    nothing = refusal(stage, ReplaceRequest(environment="feature-x"))
    assert (nothing.code, nothing.message, nothing.hint) == (
        "E_NOTHING_TO_REPLACE",
        "photos/feature-x: no machine is named",
        "name machines, or all without a data volume: greenroom replace photos/feature-x "
        "--stateless",
    )
    missing = refusal(stage, ReplaceRequest(environment="nobody", stateless=True))
    assert missing.code == "E_NO_ENVIRONMENT"
    (stage.folder / "code" / "backend-master.tar.gz").unlink()
    without_code = refusal(stage, STATELESS)
    assert (type(without_code), without_code.code) == (InputError, "E_ARTIFACT_MISSING")
    # A machine that keeps its volume needs neither code nor extract.
    (stage.folder / "extracts" / "manifest.json").unlink()
    alone = ReplaceRequest(environment="feature-x", machines=("db1",))
    assert stage.run(alone)[0].status is OperationStatus.SUCCEEDED
    assert status(stage) is EnvironmentStatus.READY


def test_production_is_replaced_only_if_its_name_is_typed(stage: Stage) -> None:
    stage.run(request("master"))
    asked = ReplaceRequest(environment="photos/master", machines=("backend1",))
    error = refusal(stage, asked)
    assert (error.exit_code, error.code, error.message, error.hint) == (
        4,
        "E_PRODUCTION",
        "photos/master is production: replace needs its name typed once more",
        "greenroom replace photos/master backend1 --confirm photos/master",
    )
    confirmed = ReplaceRequest(environment="master", machines=("backend1",), confirm="master")
    assert stage.run(confirmed)[0].status is OperationStatus.SUCCEEDED


def test_a_viewer_may_not_replace(stage: Stage) -> None:
    viewer = Caller(name="ada", grants=(Grant(stack="photos", role=Role.VIEWER),))
    with pytest.raises(RefusedError) as caught:
        stage.control.submit(STATELESS, viewer)
    assert caught.value.code == "E_FORBIDDEN"


def test_what_a_failed_create_or_destroy_left_is_not_replaced(stage: Stage) -> None:
    stage.world.faults.fail_at = "destroy"
    stage.run(DestroyRequest(environment="feature-x"))
    error = refusal(stage, STATELESS)
    assert (error.code, error.message) == (
        "E_HALF_REMOVED",
        "replace of photos/feature-x refused: its destroy failed and has left parts of it",
    )


def test_an_environment_that_comes_or_goes_is_not_replaced(stage: Stage) -> None:
    stage.world.reboot()
    stage.world.faults.hang_at = "restart"
    operation = stage.control.submit(RecoverRequest(environment="feature-x"))
    assert stage.world.wait_until_hanging(20)
    error = refusal(stage, STATELESS)
    assert (error.code, error.message) == (
        "E_BUSY",
        f"photos/feature-x is busy: recover {operation.id} runs on it",
    )
    stage.world.release()
    stage.finish(operation.id)


def test_in_developer_mode_the_folder_stays_mounted(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    code = tmp_path / "mine"
    code.mkdir()
    stage.run(request(mounts=(("backend", str(code)),)))

    operation, _ = stage.run(STATELESS)

    assert operation.status is OperationStatus.SUCCEEDED
    assert f"its code stays mounted from {code}" in notices(stage, operation.id)
    stage.close()
