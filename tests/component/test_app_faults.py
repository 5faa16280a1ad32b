"""The fault of one environment, or of the host, is told as what it is, and hurts nobody else."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request

from greenroom.errors import GreenroomError, HostError, OperationError
from greenroom.model.events import OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.requests import DestroyRequest
from greenroom.model.views import EnvironmentStatus
from greenroom.store.environments import (
    SUBNETS,
    find_environment,
    insert_environment,
    list_environments,
)

PHASES = ("images", "network", "volumes", "machines", "proof", "publish")
BYSTANDER = EnvironmentName("photos", "bystander")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    operation, _ = stage.run(request("bystander"))
    assert operation.status is OperationStatus.SUCCEEDED
    yield stage
    stage.world.faults.fail_at = None
    assert stage.control.prove("bystander").verdict is Verdict.PROVED
    assert stage.control.environment("bystander").summary.status is EnvironmentStatus.READY
    stage.close()


def fault(number: int) -> OSError:
    return OSError(number, "what the kernel says", "/pool/environments/x")


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("number", "code", "hint"),
    [
        (errno.ENOSPC, "E_NO_SPACE", "df -h shows which disk is full: free some space"),
        (errno.EDQUOT, "E_NO_SPACE", "df -h shows which disk is full: free some space"),
        (errno.EIO, "E_DISK", "dmesg tells what is wrong with the disk"),
        (errno.EROFS, "E_DISK", "dmesg tells what is wrong with the disk"),
    ],
)
def test_a_disk_that_fails_in_a_phase_is_told_as_that_and_nothing_stays(
    stage: Stage, phase: str, number: int, code: str, hint: str
) -> None:
    stage.world.faults.fail_at, stage.world.faults.error = phase, fault(number)
    operation, result = stage.run(request())
    assert operation.status is OperationStatus.FAILED
    assert (result.code, result.hint, result.exit_code) == (code, hint, 1)
    assert result.message == f"{phase}: what the kernel says: /pool/environments/x"
    assert stage.observe() == stage.intents() == ()
    assert [view.name for view in stage.control.environments()] == [str(BYSTANDER)]


def test_without_room_a_create_is_refused_at_the_door(stage: Stage) -> None:
    stage.world.faults.full = True
    with pytest.raises(HostError) as refused:
        stage.create()
    assert refused.value.code == "E_POOL_FULL"
    assert stage.observe() == stage.intents() == ()
    assert [view.name for view in stage.control.environments()] == [str(BYSTANDER)]
    stage.world.faults.full = False
    assert stage.run(request())[0].status is OperationStatus.SUCCEEDED


def test_an_environment_whose_machine_was_stopped_is_failed_and_says_why(stage: Stage) -> None:
    stage.run(request())
    name = EnvironmentName("photos", "feature-x")
    stage.control.fail(name, "db1", OperationError("E_POOL_EATEN", "db1 was stopped: it ate"))
    detail = stage.control.environment("feature_x")
    assert (detail.summary.status, detail.summary.verdict) == (
        EnvironmentStatus.FAILED,
        Verdict.FAILED,
    )
    assert [(i.subject, i.message) for i in detail.incidents] == [
        ("db1", "db1 was stopped: it ate")
    ]


def test_an_environment_that_comes_or_goes_is_not_failed_behind_its_operations_back(
    stage: Stage,
) -> None:
    stage.world.faults.hang_at = "machines"
    operation = stage.create()
    assert stage.world.wait_until_hanging(20)
    name = EnvironmentName("photos", "feature-x")
    stage.control.fail(name, "db1", OperationError("E_POOL_EATEN", "db1 was stopped"))
    assert stage.control.environment("feature_x").summary.status is EnvironmentStatus.CREATING
    stage.world.release()
    assert stage.finish(operation.id)[0].status is OperationStatus.SUCCEEDED


def test_what_befalls_the_region_makes_every_proof_doubtful_until_it_is_made_anew(
    stage: Stage,
) -> None:
    stage.control.doubt_all("disk", HostError("E_DISK_FULL", "the disk is full"))
    detail = stage.control.environment("bystander")
    assert (detail.summary.status, detail.summary.verdict) == (
        EnvironmentStatus.NOT_PROVED,
        Verdict.NOT_VERIFIED,
    )
    assert [(i.subject, i.message) for i in detail.incidents] == [("disk", "the disk is full")]


def test_a_region_without_a_free_subnet_refuses_and_a_freed_one_is_used_again(
    stage: Stage,
) -> None:
    stage.run(request("b7"))
    take_the_rest(stage)
    with pytest.raises(GreenroomError) as refused:
        stage.create("one_too_many")
    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "E_REGION_FULL",
        f"all {SUBNETS} subnets of this region are taken by environments",
        "greenroom list, then greenroom destroy what nobody needs",
    )
    assert stage.observe("photos/one-too-many") == stage.intents("photos/one-too-many") == ()
    freed = stage.control.stack_of("b7").subnet
    _destroy(stage, "b7")
    stage.run(request("one_too_many"))
    assert stage.control.stack_of("one_too_many").subnet == freed


def take_the_rest(stage: Stage) -> None:
    """Reserve every subnet that is left for an environment that is being created. The creates
    themselves would wait for the disk five hundred times."""
    with stage.database.write() as connection:
        like = find_environment(connection, BYSTANDER)
        assert like is not None
        taken = {record.subnet_index for record in list_environments(connection)}
        for index in sorted(set(range(SUBNETS)) - taken):
            name = EnvironmentName("photos", f"rest{index}")
            stack = replace(like.stack, environment=name, branch=name.slug)
            record = replace(
                like,
                name=name,
                stack=stack,
                subnet_index=index,
                status=EnvironmentStatus.CREATING,
                verdict=Verdict.NOT_VERIFIED,
                ready_at=None,
            )
            insert_environment(connection, record)


def _destroy(stage: Stage, branch: str) -> None:
    detail = stage.control.environment(branch)
    if detail.summary.operation is not None:
        stage.finish(detail.summary.operation)
    operation, _ = stage.run(DestroyRequest(environment=branch, confirm=None))
    assert operation.status is OperationStatus.SUCCEEDED
