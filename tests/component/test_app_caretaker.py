"""What ends in a running environment comes back, is written down, and is given up in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.app import caretaker, patience
from greenroom.model.incidents import Ended, Incident, Part
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.requests import DestroyRequest
from greenroom.model.views import EnvironmentStatus

NAME = EnvironmentName("photos", "feature-x")
TIMEOUT_S = 20.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caretaker, "MACHINE_DELAYS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(patience, "_PAUSES_S", (0.01, 0.01))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.run(request())
    until(lambda: is_watched(stage))
    yield stage
    stage.close()


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end, "the state did not come"
        time.sleep(0.005)


def is_watched(stage: Stage) -> bool:
    return stage.world.held(NAME).told is not None


def ended(part: Part = Part.SERVICE, service: str = "mariadb") -> Ended:
    return Ended(
        environment=NAME,
        machine="db1",
        part=part,
        service="" if part is Part.MACHINE else service,
        pid=4711,
        how="was killed by SIGKILL",
        at=datetime.now(UTC),
    )


def end(stage: Stage, what: Ended) -> None:
    """As the provider does it: the machine runs no more, and who listens is told."""
    held = stage.world.held(NAME)
    told = held.told
    assert told is not None
    if what.part is Part.MACHINE:
        # Whoever waits for the watch waits for the one after the machine's next boot, which is
        # begun in the background; without it the next end could come before.
        held.told = None
        held.reports.pop(what.machine)
    told(what)


def incidents(stage: Stage) -> list[Incident]:
    return list(stage.control.environment("feature-x").incidents)


def status(stage: Stage) -> EnvironmentStatus:
    return stage.control.environments()[0].status


@pytest.mark.parametrize("part", Part)
def test_nothing_is_booted_and_nothing_given_up_while_the_host_has_no_pool(
    stage: Stage, part: Part
) -> None:
    stage.world.faults.gone = True
    calls = len(stage.world.calls)
    stage.world.held(NAME).reports.pop("db1")
    told = stage.watched()
    stage.world.faults.verdict = Verdict.FAILED
    for _ in range(max(len(caretaker.MACHINE_DELAYS_S), caretaker.SERVICE_ENDS_MAX) + 2):
        told(ended(part))
    until(lambda: not stage.control._caretaker._waiting)
    stage.control.close()
    assert status(stage) is EnvironmentStatus.NOT_PROVED
    phases = {phase for phase, _ in stage.world.calls[calls:]}
    assert phases.isdisjoint({"images", "restart", "hold"})

    stage.world.faults.gone = False
    stage.world.faults.verdict = Verdict.PROVED
    stage.rise()
    stage.control.bring_back()
    until(lambda: status(stage) is EnvironmentStatus.READY and is_watched(stage))
    assert "db1 did not run when the daemon started" in [each.message for each in incidents(stage)]


def test_a_machine_that_ends_is_booted_again_and_the_journal_says_what_happened(
    stage: Stage,
) -> None:
    end(stage, ended(Part.MACHINE))
    until(lambda: len(incidents(stage)) == 2)
    until(lambda: status(stage) is EnvironmentStatus.READY and is_watched(stage))
    first, second = incidents(stage)
    assert first.subject == "db1"
    assert first.message == "its first process (s6-svscan, process 4711) was killed by SIGKILL"
    assert second.subject == "photos/feature-x"
    assert second.message.startswith("runs again from its own disks, proved, ")
    assert second.away_s is not None and second.away_s >= 0
    assert "db1" in stage.world.held(NAME).reports


def test_a_machine_that_ends_too_often_is_given_up_with_the_reason(stage: Stage) -> None:
    for times in range(1, 4):
        end(stage, ended(Part.MACHINE))
        until(lambda times=times: len(incidents(stage)) == 2 * times)
        until(lambda: status(stage) is EnvironmentStatus.READY and is_watched(stage))
        until(lambda: "db1" in stage.world.held(NAME).reports)
    end(stage, ended(Part.MACHINE))
    until(lambda: status(stage) is EnvironmentStatus.FAILED)
    last = incidents(stage)[-1]
    assert last.message == (
        "its first process (s6-svscan, process 4711) was killed by SIGKILL, time 4 in ten "
        "minutes: it is not started again; greenroom logs photos/feature-x may say why, greenroom "
        "recover photos/feature-x starts it once more"
    )
    assert "db1" not in stage.world.held(NAME).reports
    until(lambda: not is_watched(stage))


def test_a_service_that_ends_is_written_down_and_the_environment_proved_again(
    stage: Stage,
) -> None:
    proved_at = stage.control.environment("feature-x").proof
    end(stage, ended())
    until(lambda: incidents(stage))
    (incident,) = incidents(stage)
    assert incident.subject == "db1 mariadb"
    assert incident.message == (
        "its process 4711 was killed by SIGKILL; the service was started again"
    )
    assert incident.away_s is not None
    until(lambda: status(stage) is EnvironmentStatus.READY)
    assert stage.control.environment("feature-x").proof != proved_at


def test_a_supervisor_that_ends_is_told_apart_from_its_service(stage: Stage) -> None:
    end(stage, ended(Part.SUPERVISOR))
    until(lambda: incidents(stage))
    assert incidents(stage)[0].message.startswith("its supervisor (s6-supervise, process 4711) ")


def test_a_service_that_does_not_come_back_leaves_the_environment_not_proved(
    stage: Stage,
) -> None:
    stage.world.faults.fail_at = "mend"
    stage.world.faults.verdict = Verdict.FAILED
    end(stage, ended())
    until(lambda: incidents(stage))
    until(lambda: stage.control.environments()[0].verdict is Verdict.FAILED)
    assert incidents(stage)[0].message.endswith("backend1: the simulated fault")
    assert status(stage) is EnvironmentStatus.NOT_PROVED


def test_a_service_in_a_loop_is_held_and_the_environment_failed(stage: Stage) -> None:
    for times in range(1, caretaker.SERVICE_ENDS_MAX + 1):
        end(stage, ended())
        until(lambda times=times: len(incidents(stage)) == times)
        until(lambda: status(stage) is EnvironmentStatus.READY)
    end(stage, ended())
    until(lambda: status(stage) is EnvironmentStatus.FAILED)
    assert ("hold", "photos/feature-x") in stage.world.calls
    assert "time 11 in a minute: it is not started again" in incidents(stage)[-1].message


def test_the_end_of_a_service_with_its_machine_is_no_incident_of_its_own(stage: Stage) -> None:
    end(stage, replace(ended(Part.MACHINE)))
    stage.control._caretaker.ended(ended())
    until(lambda: len(incidents(stage)) == 2)
    until(lambda: status(stage) is EnvironmentStatus.READY and is_watched(stage))
    assert {incident.subject for incident in incidents(stage)} == {"db1", "photos/feature-x"}


def test_what_ends_while_an_operation_is_at_work_is_that_operations_doing(stage: Stage) -> None:
    told = stage.world.held(NAME).told
    assert told is not None
    stage.world.faults.hang_at = "destroy"
    operation = stage.control.submit(DestroyRequest(environment="feature-x"))
    assert stage.world.wait_until_hanging(TIMEOUT_S)
    told(ended(Part.MACHINE))
    told(ended())
    stage.world.release()
    stage.finish(operation.id)
    assert stage.control.environments() == ()
    stage.run(request())
    assert incidents(stage) == []


def test_what_befalls_the_region_is_told_of_every_environment_that_was_there(
    stage: Stage,
) -> None:
    at = datetime.now(UTC)
    stage.control.tell_of_region(
        Incident(at=at, subject="dnsmasq", message="process 7 ended; started again", away_s=0.03)
    )
    assert [incident.subject for incident in incidents(stage)] == ["dnsmasq"]
    stage.run(request("later"))
    assert stage.control.environment("later").incidents == ()


def test_one_environment_never_has_more_than_one_worker_for_its_services(stage: Stage) -> None:
    stage.world.faults.hang_at = "mend"
    told = stage.world.held(NAME).told
    assert told is not None
    for _ in range(caretaker.SERVICE_ENDS_MAX):
        told(ended())
    assert stage.world.wait_until_hanging(TIMEOUT_S)
    # The others have workers: one of them is adopted again at its operation's end.
    stage.run(request("zebra"))
    other = EnvironmentName("photos", "zebra")
    until(lambda: stage.world.held(other).told is not None)
    stage.world.release()
    until(lambda: len(incidents(stage)) == caretaker.SERVICE_ENDS_MAX)


def test_a_part_of_the_region_that_stays_away_puts_all_proofs_in_doubt(stage: Stage) -> None:
    at = datetime.now(UTC)
    stage.control.tell_of_region(Incident(at=at, subject="dnsmasq", message="back", away_s=0.1))
    assert status(stage) is EnvironmentStatus.READY
    stage.control.tell_of_region(Incident(at=at, subject="dnsmasq", message="stays away"))
    assert status(stage) is EnvironmentStatus.NOT_PROVED
