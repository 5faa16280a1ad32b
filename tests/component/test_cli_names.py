"""How an environment is named, and which one a short name means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.component.cli_daemon import ONE, Answer, FakeDaemon, Request, problem
from tests.component.cli_stage import Run
from tests.unit import cli_values as values

AMBIGUOUS = problem(422, "E_AMBIGUOUS", "'feature_x' may be any of videos/…, photos/…")


def of_two_stacks(answer: Any, **more: Any) -> Callable[[Request], Answer]:
    """A daemon with two environments of that branch, of which one is of the stack photos."""

    def answered(request: Request) -> Answer:
        (name,) = request.query.get("name") or [request.body["environment"]]
        return Answer(value=answer, **more) if name == "photos/feature_x" else AMBIGUOUS

    return answered


@pytest.mark.parametrize(
    ("words", "method", "path"),
    [
        ("show feature_x --json", "GET", "/v1/lookup"),
        ("cancel feature_x", "GET", "/v1/lookup"),
        ("flows feature_x", "GET", "/v1/lookup"),
        ("exec --json feature_x db1 -- id", "GET", "/v1/lookup"),
        ("logs feature_x", "GET", "/v1/lookup"),
        ("deploy feature_x", "POST", "/v1/operations"),
        ("recover feature_x", "POST", "/v1/operations"),
        ("replace feature_x --stateless", "POST", "/v1/operations"),
        ("drill feature_x", "POST", "/v1/operations"),
        ("destroy feature_x", "POST", "/v1/operations"),
    ],
)
@pytest.mark.parametrize(
    "line", ["stack: photos", "stack: 'photos'  # ours", "machines: [\nstack: photos"]
)
def test_a_short_name_that_two_stacks_share_is_the_one_of_the_blueprint_here(
    daemon: FakeDaemon, run: Run, tmp_path: Path, words: str, method: str, path: str, line: str
) -> None:
    (tmp_path / "greenroom.yaml").write_text(f"{line}\nzone: example.org\n")
    answers = {
        "/v1/lookup": {"name": "photos/feature-x"},
        "/v1/operations": values.dumped(values.operation()),
    }
    daemon.answer("POST", f"{ONE}/flows", values.dumped(values.proof()))
    daemon.answer("GET", f"{ONE}/command", {"argv": ["true"]})
    daemon.answer("GET", f"{ONE}/logs", lines=[])
    daemon.routes[method, path] = of_two_stacks(answers[path])
    ran = run(words)
    assert "E_AMBIGUOUS" not in ran.err
    asked = [r for r in daemon.requests if (r.method, r.path) == (method, path)]
    assert [(r.query.get("name") or [r.body["environment"]])[0] for r in asked[:2]] == [
        "feature_x",
        "photos/feature_x",
    ]


@pytest.mark.parametrize("blueprint", [None, "stack: videos\n", "stack: [\n", "\udcff"])
def test_a_short_name_stays_ambiguous_where_no_blueprint_decides(
    daemon: FakeDaemon, run: Run, tmp_path: Path, blueprint: str | None
) -> None:
    def answered(request: Request) -> Answer:
        nobody = problem(422, "E_NO_ENVIRONMENT", "there is no environment")
        return AMBIGUOUS if request.query["name"] == ["feature_x"] else nobody

    daemon.routes["GET", "/v1/lookup"] = answered
    (tmp_path / "greenroom.yaml").unlink()
    if blueprint is not None:
        content = blueprint.encode("utf-8", "surrogateescape")
        (tmp_path / "greenroom.yaml").write_bytes(content)
    ran = run("show feature_x")
    assert ran.code == 1
    assert ran.err == "error E_AMBIGUOUS: 'feature_x' may be any of videos/…, photos/…\n"


def test_a_cancel_of_what_is_ready_suggests_no_destroy(daemon: FakeDaemon, run: Run) -> None:
    assert run("cancel feature_x").err.splitlines() == [
        "error E_NOTHING_RUNS: nothing runs on photos/feature-x: it is ready",
        "→ greenroom list shows what runs on which environment",
    ]
