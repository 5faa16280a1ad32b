"""The daemon reads files as root: who may say which ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.component.page_stage import BLUEPRINT, BlueprintStage, PageStage, somebody

from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, Caller, Role
from greenroom.model.requests import CreateRequest

DEVELOPER = somebody(Role.DEVELOPER, "photos", "dave")
OF_EVERY_STACK = somebody(Role.DEVELOPER, EVERY_STACK, "eve")
OPERATOR = somebody(Role.OPERATOR, "photos", "olga")
STRANGER = somebody(Role.OPERATOR, "shop", "sam")
ROOT = somebody(Role.OPERATOR, EVERY_STACK, "root")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageStage]:
    """An environment that root created; only its blueprint is known."""
    made = PageStage(BlueprintStage(tmp_path))
    made.create("feature_x")
    yield made
    made.close()


def unknown_to(page: PageStage) -> Path:
    path = page.stage.folder / "other.yaml"
    path.write_text(BLUEPRINT)
    return path


def refused(ask: Callable[[], object]) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        ask()
    assert raised.value.code == "E_FORBIDDEN"
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize("who", [DEVELOPER, OF_EVERY_STACK, OPERATOR])
def test_only_an_operator_of_every_stack_creates_from_any_file(
    page: PageStage, who: Caller
) -> None:
    secret = page.stage.folder / "shadow"
    secret.write_text("root:$6$secret\n")
    link = page.stage.folder / "link.yaml"
    link.symlink_to(page.blueprint)

    for path in (secret, unknown_to(page), link, Path("/dev/zero"), Path("/nonexistent")):
        asked = CreateRequest(blueprint=path, branch="feature_y")
        error = refused(lambda: page.stage.control.submit(asked, who))  # noqa: B023
        assert error.message == f"{path} is no blueprint that {who.name} may name for create"
        assert error.faults == ()

    asked = CreateRequest(blueprint=unknown_to(page), branch="feature_y")
    view, _ = page.stage.finish(page.stage.control.submit(asked, ROOT).id)
    assert view.environment == "photos/feature-y"


def test_others_create_from_the_blueprints_of_their_stack(page: PageStage) -> None:
    asked = CreateRequest(blueprint=page.blueprint, branch="feature_y")
    refused(lambda: page.stage.control.submit(asked, STRANGER))

    view, _ = page.stage.finish(page.stage.control.submit(asked, DEVELOPER).id)

    assert view.environment == "photos/feature-y"


@pytest.mark.parametrize("who", [DEVELOPER, OF_EVERY_STACK, OPERATOR])
def test_only_an_operator_of_every_stack_mounts_folders_of_the_host(
    page: PageStage, who: Caller
) -> None:
    mounts = (("backend", str(page.stage.folder)),)
    asked = CreateRequest(blueprint=page.blueprint, branch="feature_y", mounts=mounts)

    error = refused(lambda: page.stage.control.submit(asked, who))

    assert str(page.stage.folder) in error.message
    view, _ = page.stage.finish(page.stage.control.submit(asked, ROOT).id)
    assert page.stage.control.stack_of(view.environment).machines[0].mount == page.stage.folder


def test_only_an_operator_of_every_stack_registers_the_jobs_of_any_file(page: PageStage) -> None:
    other = unknown_to(page)
    refused(lambda: page.jobs.definitions.register(other, OPERATOR))
    refused(lambda: page.jobs.definitions.register(page.blueprint, STRANGER))

    assert "photos/count-rows" in {
        each.name for each in page.jobs.definitions.register(other, ROOT)
    }
    assert page.jobs.definitions.register(page.blueprint, OPERATOR)


def test_the_built_in_create_takes_no_other_files_than_the_operation(page: PageStage) -> None:
    values = {"blueprint": str(unknown_to(page)), "branch": "feature_y"}

    refused(lambda: page.jobs.executions.run("greenroom:create", values, DEVELOPER))

    assert page.jobs.history.page(ROOT) == ()


def test_a_refused_path_is_not_known_afterwards(page: PageStage) -> None:
    asked = CreateRequest(blueprint=unknown_to(page), branch="feature_y")
    before = page.parts.history.blueprints()

    for _ in range(2):
        refused(lambda: page.stage.control.submit(asked, DEVELOPER))

    assert page.parts.history.blueprints() == before
