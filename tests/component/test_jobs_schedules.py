"""Schedules against stepped clocks: on time, once, also where clocks jump and hours repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection
from tests.component.app_stage import TIMEOUT_S
from tests.component.jobs_stage import ENVIRONMENT, ROOT, START, JobStage, job, option

from greenroom.app.jobs import scheduler
from greenroom.errors import HostError
from greenroom.model.access import Role
from greenroom.model.job_words import Missed, OptionKind
from greenroom.model.jobs import Approval, ExecutionStatus, Schedule, Trigger, Who
from greenroom.plan.schedules import due_time, in_zone, looked_at, next_time
from greenroom.store.jobs import JobRecord, list_jobs

BERLIN = "Europe/Berlin"
APPROVAL = Approval(who=Who(role=Role.OPERATOR), expires_s=86400.0)
"""What waits for it does not write into the ledger beside the schedule."""


def schedule(cron: str = "0 * * * *", zone: str = "UTC", **values: object) -> Schedule:
    return Schedule(cron=cron, zone=zone, **values)  # type: ignore[arg-type]


def times(asked: Schedule, start: datetime, end: datetime) -> list[str]:
    found = []
    at = next_time(asked, start)
    while at is not None and at < end:
        found.append(in_zone(at, asked.zone).strftime("%d %H:%M %Z"))
        at = next_time(asked, at)
    return found


SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_time_that_is_skipped_in_spring_comes_right_after_the_gap() -> None:
    found = times(schedule("30 2 * * *", BERLIN), SPRING, SPRING + DAY)
    assert found == ["29 03:00 CEST"]


def test_a_time_that_comes_twice_in_autumn_fires_once() -> None:
    found = times(schedule("30 2 * * *", BERLIN), AUTUMN, AUTUMN + DAY)
    assert found == ["25 02:30 CEST"]


def test_a_time_that_came_is_not_found_again_in_the_hour_that_repeats() -> None:
    second_half_past_two = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    found = next_time(schedule("30 2 * * *", BERLIN), second_half_past_two)
    assert found == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_line_of_every_hour_follows_the_time_that_passes() -> None:
    every_hour = schedule("0 * * * *", BERLIN)
    assert len(times(every_hour, SPRING, SPRING + DAY)) == 23
    assert len(times(every_hour, AUTUMN, AUTUMN + DAY)) == 23
    night = times(every_hour, AUTUMN + timedelta(hours=11), AUTUMN + timedelta(hours=14))
    assert night == ["25 02:00 CEST", "25 02:00 CET"]


@given(
    cron=st.sampled_from(["*/5 * * * *", "30 2 * * *", "0 */6 * * *", "15 3 * * 1", "0 0 1 * *"]),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
)
def test_the_next_time_is_always_later(cron: str, zone: str, start: datetime) -> None:
    asked = schedule(cron, zone)
    found = next_time(asked, start)

    assert found is not None
    assert start < found
    assert due_time(asked, start, found) == found
    assert due_time(asked, start, found - timedelta(microseconds=1)) is None


def test_a_missed_time_is_skipped_or_made_up_for_once() -> None:
    now = START + timedelta(hours=5, minutes=30)

    assert due_time(schedule(), START, now) is None
    assert due_time(schedule(missed=Missed.RUN), START, now) is not None
    just_now = START + timedelta(hours=5, seconds=59)
    assert due_time(schedule(), START, just_now) == START + timedelta(hours=5)


def test_a_clock_that_is_set_back_a_little_lets_nothing_fire_twice() -> None:
    assert looked_at(START, START - timedelta(hours=1)) == START
    assert looked_at(START, START - timedelta(days=9)) == START - timedelta(days=9)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[JobStage]:
    made = JobStage(tmp_path)
    made.register(nightly())
    yield made
    made.close()


def nightly(missed: Missed = Missed.SKIP) -> object:
    every_hour = schedule(options=(("day", "today"),), zone="Pacific/Auckland", missed=missed)
    return job(options=(option("day", OptionKind.DATE),), schedules=(every_hour,))


def fired(stage: JobStage) -> int:
    return len(stage.jobs.history.page(ROOT))


def test_a_schedule_fires_at_its_time_with_its_values(stage: JobStage) -> None:
    stage.tick()
    stage.clock.step(3599.75)
    stage.tick()
    assert fired(stage) == 0

    stage.clock.step(0.25)
    stage.tick()
    stage.tick()
    (view,) = stage.jobs.history.page(ROOT)
    assert (view.trigger, view.asked_by) == (Trigger.SCHEDULE, "greenroom:schedule")
    assert view.options == (("day", "2026-11-24"),)
    stage.processes.wait_for(1, TIMEOUT_S).exit()


def test_a_restart_fires_nothing_twice_and_misses_nothing_in_between(stage: JobStage) -> None:
    stage.clock.step(3600)
    stage.tick()
    stage.processes.wait_for(1, TIMEOUT_S).exit()
    stage.jobs.close()

    stage.rise()
    stage.tick()
    assert fired(stage) == 1
    stage.clock.step(3599)
    stage.tick()
    assert fired(stage) == 1
    stage.clock.step(30)
    stage.rise()
    stage.tick()
    assert fired(stage) == 2


@pytest.mark.parametrize(("missed", "expected"), [(Missed.SKIP, 0), (Missed.RUN, 1)])
def test_what_was_missed_while_the_daemon_was_down(
    stage: JobStage, missed: Missed, expected: int
) -> None:
    stage.register(nightly(missed))  # type: ignore[arg-type]
    stage.clock.step(5.5 * 3600)
    stage.rise()
    stage.tick()
    stage.tick()

    assert fired(stage) == expected


def test_a_clock_that_jumps_a_day_ahead_fires_as_after_an_absence(stage: JobStage) -> None:
    stage.tick()
    stage.clock.jump(86400 + 1800)
    stage.tick()
    assert fired(stage) == 0
    stage.clock.step(1800)
    stage.tick()
    assert fired(stage) == 1


def test_a_clock_that_jumps_back_a_week_goes_on_from_there(stage: JobStage) -> None:
    stage.clock.step(3600)
    stage.tick()
    stage.clock.jump(-7 * 86400)
    stage.tick()
    assert fired(stage) == 1
    stage.clock.step(3600)
    stage.tick()
    assert fired(stage) == 2


def test_a_scheduled_run_that_cannot_begin_stands_in_the_history(stage: JobStage) -> None:
    stage.register(
        job(
            options=(ENVIRONMENT,),
            schedules=(schedule(options=(("environment", "nowhere"),)),),
        )
    )
    stage.clock.step(3600)
    stage.tick()
    (view,) = stage.jobs.history.page(ROOT)

    assert (view.status, view.code) == (ExecutionStatus.FAILED, "E_NO_ENVIRONMENT")
    assert view.message == "there is no environment 'nowhere'"


def test_the_list_of_jobs_tells_the_next_time(stage: JobStage) -> None:
    view = stage.jobs.definitions.one("count", ROOT)
    assert view.schedules[0].next_at == START + timedelta(hours=1)


def refuse_after(stage: JobStage, writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the ledger take so many writes and then no more, as before a crash."""
    write, left = stage.stage.database.write, writes

    @contextmanager
    def counted() -> Iterator[Connection]:
        nonlocal left
        left -= 1
        if left < 0:
            raise HostError("E_LEDGER_AWAY", "the ledger does not answer")
        with write() as connection:
            yield connection

    monkeypatch.setattr(stage.stage.database, "write", counted)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_what_is_due_of_two_schedules_comes_once_each_wherever_a_crash_falls(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """All that stays due after it, and all that came, is told by one note in the ledger."""
    options = (option("of"),)
    pair = schedule(options=(("of", "hour"),)), schedule("*/30 * * * *", options=(("of", "half"),))
    stage.register(job(options=options, schedules=pair, approval=APPROVAL))
    stage.clock.step(3599)
    stage.tick()
    before = fired(stage)
    stage.clock.step(1)
    refuse_after(stage, writes, monkeypatch)
    with suppress(HostError):
        stage.scheduler.tick()
    monkeypatch.undo()
    stage.rise()
    stage.tick()
    stage.tick()

    came = [dict(view.options)["of"] for view in stage.jobs.history.page(ROOT)]
    assert sorted(came[: len(came) - before]) == ["half", "hour"]


def test_a_schedule_that_is_not_due_does_not_pass_over_one_that_is(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = schedule("0 0 * * *"), schedule()
    stage.register(job(schedules=pair, approval=APPROVAL))
    stage.clock.step(3600)
    refuse_after(stage, 0, monkeypatch)
    with pytest.raises(HostError):
        stage.scheduler.tick()
    monkeypatch.undo()
    stage.rise()
    stage.tick()

    assert fired(stage) == 1


def test_a_clock_that_is_set_back_fires_nothing_again_after_a_restart(stage: JobStage) -> None:
    stage.register(job(schedules=(schedule(),), approval=APPROVAL))
    stage.clock.step(3600)
    stage.tick()
    stage.clock.step(300)
    stage.tick()
    stage.clock.jump(-3600)
    stage.tick()
    stage.rise()
    stage.clock.step(55 * 60)
    stage.tick()
    assert fired(stage) == 1
    stage.clock.step(3600)
    stage.tick()
    assert fired(stage) == 2


def test_a_definition_that_comes_while_the_old_ones_are_read_is_not_missed(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_before(connection: Connection) -> tuple[JobRecord, ...]:
        monkeypatch.undo()
        found = list_jobs(connection)
        stage.register(job("other", schedules=(schedule(),), approval=APPROVAL))
        return found

    stage.register(job(schedules=(schedule(),)))
    monkeypatch.setattr(scheduler, "list_jobs", read_before)
    stage.tick()
    stage.clock.step(3600)
    stage.tick()

    assert [view.job for view in stage.jobs.history.page(ROOT)] == ["photos/other"]


def test_a_job_that_changes_loses_no_time_of_its_schedules(
    stage: JobStage,
) -> None:
    stage.register(job(schedules=(schedule(),), approval=APPROVAL))
    stage.clock.step(3600)
    stage.register(job(description="More", schedules=(schedule(),), approval=APPROVAL))
    stage.tick()

    assert fired(stage) == 1
