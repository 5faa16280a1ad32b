"""Following an operation, and finding an environment by what a person types."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.app_stage import TIMEOUT_S, Stage, request

from greenroom.app.follow import follow
from greenroom.errors import InputError
from greenroom.model.events import Event, EventKind
from greenroom.model.requests import DeployRequest


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


async def _follow_all(stage: Stage, operation: str, after: int = 0) -> list[Event]:
    async with asyncio.timeout(TIMEOUT_S):
        return [event async for event in follow(stage.control, operation, after)]


def test_an_event_loop_sees_each_event_while_the_operation_runs(stage: Stage) -> None:
    stage.world.faults.hang_at = "machines"
    operation = stage.create()

    async def scene() -> list[Event]:
        seen = []
        async with asyncio.timeout(TIMEOUT_S):
            async for event in follow(stage.control, operation.id):
                seen.append(event)
                if (event.kind, event.phase) == (EventKind.PHASE_STARTED, "machines"):
                    # Only now can it go on: the event was seen before the phase had ended.
                    stage.world.release()
        return seen

    seen = asyncio.run(scene())

    assert tuple(seen) == stage.control.events(operation.id)
    assert seen[-1].kind is EventKind.RESULT


def test_following_what_has_ended_gives_its_events_and_ends(stage: Stage) -> None:
    operation, result = stage.run(request())

    assert asyncio.run(_follow_all(stage, operation.id))[-1] == result
    assert asyncio.run(_follow_all(stage, operation.id, result.seq - 1)) == [result]


def test_a_client_that_counts_further_than_the_ledger_gets_the_result(stage: Stage) -> None:
    operation, result = stage.run(request())

    # It saw events that a crash took with it before they were written.
    assert asyncio.run(_follow_all(stage, operation.id, result.seq + 7)) == [result]


def test_following_an_unknown_operation_is_refused(stage: Stage) -> None:
    with pytest.raises(InputError, match="there is no operation 'op-0'"):
        asyncio.run(_follow_all(stage, "op-0"))


@pytest.mark.parametrize("text", ["feature-x", "feature_x", "photos/feature-x"])
def test_an_environment_is_found_by_slug_branch_and_full_name(stage: Stage, text: str) -> None:
    stage.run(request())

    assert stage.control.environment(text).summary.name == "photos/feature-x"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("featur-x", "did you mean 'feature-x'?"),
        ("photos/featurex", "did you mean 'photos/feature-x'?"),
        ("zzz", "greenroom list shows what there is"),
    ],
)
def test_an_unknown_environment_is_refused_with_the_nearest_name(
    stage: Stage, text: str, hint: str
) -> None:
    stage.run(request())

    with pytest.raises(InputError) as refused:
        stage.control.submit(DeployRequest(environment=text))

    assert refused.value.code == "E_NO_ENVIRONMENT"
    assert refused.value.message == f"there is no environment {text!r}"
    assert refused.value.hint == hint


def test_a_slug_that_two_stacks_share_is_ambiguous(stage: Stage) -> None:
    stage.run(request())
    stage.stack_name = "videos"
    stage.run(request())

    with pytest.raises(InputError) as refused:
        stage.control.stack_of("feature-x")

    assert refused.value.code == "E_AMBIGUOUS"
    assert refused.value.message == ("'feature-x' may be any of photos/feature-x, videos/feature-x")
    assert "photos" not in refused.value.hint, "none of them is better than another"
    for name in ("videos/feature-x", "videos/feature_x"):
        assert stage.control.stack_of(name).environment.stack == "videos"
