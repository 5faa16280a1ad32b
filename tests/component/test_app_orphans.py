"""Orphans: what is nobody's any more is removed, what may be somebody's is told and left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.component.app_stage import Stage, request
from tests.component.reconciler_stage import NAME, OLD, Theatre, known_to_have_ended, leave

from greenroom.app.reconciliation import ReportOrphan
from greenroom.errors import InputError, OperationError, RefusedError
from greenroom.model.access import ITSELF, Caller, Grant, Role
from greenroom.model.events import OperationStatus
from greenroom.model.receipt import Resource, ResourceKind
from greenroom.model.views import EnvironmentStatus


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Theatre]:
    theatre = Theatre(tmp_path)
    yield theatre
    theatre.stage.close()


def test_what_is_left_of_an_environment_that_is_gone_is_removed(theatre: Theatre) -> None:
    known_to_have_ended(theatre)
    leave(theatre)
    theatre.look()
    assert theatre.stage.observe("photos/old") == ()
    (told,) = theatre.told(OLD)
    assert told == (
        "reconciler: removed what was left of photos/old: network namespace photos.old.db1"
    )
    assert theatre.look() == ()


@pytest.mark.parametrize("running", [False, True])
def test_what_may_be_somebody_s_is_told_once_and_left(theatre: Theatre, running: bool) -> None:
    if running:
        known_to_have_ended(theatre)
    item = leave(theatre, ResourceKind.PROCESS if running else ResourceKind.NAMESPACE)
    for _ in range(3):
        (action,) = theatre.look(timedelta(minutes=1))
        assert isinstance(action, ReportOrphan)
    assert theatre.stage.observe("photos/old") == (item,)
    (told,) = theatre.told(OLD)
    assert told.endswith(
        "photos.old.db1 of photos/old, which the ledger does not have; "
        "greenroom doctor --orphans lists it"
    )


def test_processes_that_come_and_go_in_an_orphan_are_told_once(theatre: Theatre) -> None:
    held = theatre.stage.world.held(OLD).resources
    leave(theatre)
    for pid in range(3):
        held.add(Resource(kind=ResourceKind.PROCESS, name=f"{pid} cron"))
        theatre.look(timedelta(minutes=1))
        held.discard(Resource(kind=ResourceKind.PROCESS, name=f"{pid} cron"))
    assert len(theatre.told(OLD)) == 1
    held.add(Resource(kind=ResourceKind.LINK, name="veth-10.0.0.9"))
    theatre.look(timedelta(minutes=1))
    assert len(theatre.told(OLD)) == 2


def test_strangers_are_told_and_never_touched(theatre: Theatre) -> None:
    theatre.stage.world.strangers = (Resource(kind=ResourceKind.CGROUP, name="/greenroom/x"),)
    (action,) = theatre.look()
    assert isinstance(action, ReportOrphan)
    assert "of no environment" in theatre.told()[0]
    with pytest.raises(InputError) as refused:
        theatre.stage.control.orphans.remove("/greenroom/x", ITSELF)
    assert refused.value.code == "E_NO_ENVIRONMENT"


def test_an_orphan_is_removed_by_hand(theatre: Theatre) -> None:
    item = leave(theatre, ResourceKind.PROCESS)
    orphans = theatre.stage.control.orphans
    (found,) = orphans.find()
    assert (found.environment, found.ended, found.resources) == ("photos/old", False, (item,))
    assert orphans.remove("photos/old", ITSELF).removed == (item,)
    assert orphans.find() == ()


def test_what_the_ledger_has_is_no_orphan(theatre: Theatre) -> None:
    theatre.stage.run(request())
    assert theatre.stage.control.orphans.find() == ()
    with pytest.raises(RefusedError) as refused:
        theatre.stage.control.orphans.remove("photos/feature-x", ITSELF)
    assert refused.value.code == "E_NOT_ORPHAN"
    assert theatre.status() is EnvironmentStatus.READY


def test_an_orphan_that_stays_is_a_failure(theatre: Theatre) -> None:
    item = leave(theatre)
    theatre.stage.world.faults.sticks = (item,)
    with pytest.raises(OperationError) as failed:
        theatre.stage.control.orphans.remove("photos/old", ITSELF)
    assert failed.value.code == "E_LEFT_OVER"


def test_only_an_operator_removes_orphans(theatre: Theatre) -> None:
    leave(theatre)
    developer = Caller(name="eve", grants=(Grant(stack="photos", role=Role.DEVELOPER),))
    with pytest.raises(RefusedError) as refused:
        theatre.stage.control.orphans.remove("photos/old", developer)
    assert refused.value.code == "E_FORBIDDEN"


def test_a_create_waits_for_the_removal_of_what_bears_its_name(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with stage.control.orphans._held(NAME):
        with pytest.raises(RefusedError) as refused:
            stage.create()
        assert refused.value.code == "E_BUSY"
        assert stage.control.environments() == ()
    assert stage.run(request())[0].status is OperationStatus.SUCCEEDED
    stage.close()


# The thread.
