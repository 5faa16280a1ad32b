"""A ledger that does not answer for a moment holds operations up, and loses none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection
from tests.component.app_stage import Stage, request

from greenroom.errors import HostError
from greenroom.model.events import OperationStatus
from greenroom.model.requests import (
    DeployRequest,
    DestroyRequest,
    ReplaceRequest,
    Request,
    StartRequest,
    StopRequest,
)
from greenroom.store import journal as journals

FEATURE = "photos/feature-x"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


class Faltering:
    """A way into the ledger of which every second use finds nobody, until it has failed often."""

    def __init__(self, way: object, failures: int) -> None:
        self.way, self.left, self.used = way, failures, 0

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        self.used += 1
        if self.left and self.used % 2 == 0:
            self.left -= 1
            raise HostError("E_LEDGER_AWAY", "the ledger does not answer")
        with self.way() as connection:  # type: ignore[operator]
            yield connection


@pytest.mark.parametrize(
    "asked",
    [
        DeployRequest(environment=FEATURE),
        ReplaceRequest(environment=FEATURE, machines=("backend1",)),
        StopRequest(environment=FEATURE),
        DestroyRequest(environment=FEATURE),
    ],
    ids=lambda asked: type(asked).__name__,
)
def test_an_operation_ends_although_its_ledger_falters(
    stage: Stage, asked: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_RETRY_S", 0.01)
    stage.run(request())
    falter(stage, monkeypatch)

    operation, _ = stage.run(asked)

    assert operation.status is OperationStatus.SUCCEEDED


def test_a_start_ends_although_its_ledger_falters(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_RETRY_S", 0.01)
    stage.run(request())
    stage.run(StopRequest(environment=FEATURE))
    falter(stage, monkeypatch)

    assert stage.run(StartRequest(environment=FEATURE))[0].status is OperationStatus.SUCCEEDED


def falter(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first use, which accepts the operation, comes through."""
    monkeypatch.setattr(stage.database, "write", Faltering(stage.database.write, 3))
    # That of the engine's thread comes later: it is the first one's, and fails.
    deferred = Faltering(stage.database.write_deferred, 2)
    deferred.used = 1
    monkeypatch.setattr(stage.database, "write_deferred", deferred)
