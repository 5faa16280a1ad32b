"""A token for a stack that nobody knows is made, and its maker told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.component.api_stage import ApiStage, standing


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiStage]:
    with standing(tmp_path_factory.mktemp("stacks")) as made:
        assert made.created() == "photos/feature-x"
        yield made


@pytest.mark.parametrize(
    ("stacks", "notices"),
    [
        (["photos"], []),
        (["*"], []),
        (["potos"], ["nothing of stack potos is known here yet; did you mean photos?"]),
        (
            ["photos", "wiki"],
            ["nothing of stack wiki is known here yet: the token opens it from its first "
             "environment on"],
        ),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_told_and_not_refused(
    stage: ApiStage, stacks: list[str], notices: list[str]
) -> None:
    name = "-".join(stacks).replace("*", "all")
    body = {"name": name, "grants": [{"stack": each, "role": "viewer"} for each in stacks]}

    answer = stage.ask("POST", "/v1/tokens", stage.token("operator", name=f"{name}-maker"),
                       json_body=body)  # fmt: skip

    assert (answer.status_code, answer.json()["notices"]) == (201, notices)


def test_no_foreign_stack_is_what_was_meant(stage: ApiStage) -> None:
    body = {"name": "mine", "grants": [{"stack": "photo", "role": "viewer"}]}

    answer = stage.ask("POST", "/v1/tokens", stage.token("operator", "photo"), json_body=body)

    assert answer.json()["notices"] == [
        "nothing of stack photo is known here yet: the token opens it from its first environment on"
    ]
