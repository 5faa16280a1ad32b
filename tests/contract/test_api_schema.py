"""The whole API against its own document: schemathesis asks what the document allows and what it
forbids, and every answer must be one that the document tells."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from api_stage import ApiStage

from greenroom.app.clock import SystemClock

_EXAMPLES = 8


class PatientClock(SystemClock):
    """Ten seconds pass between any two looks: nobody asks too often."""

    def __init__(self) -> None:
        self._looks = itertools.count()

    def monotonic_s(self) -> float:
        return 10.0 * next(self._looks)


@pytest.fixture(scope="module")
def stage() -> Iterator[ApiStage]:
    with tempfile.TemporaryDirectory() as folder:
        made = ApiStage(Path(folder), clock=PatientClock())
        made.created("feature_x")
        yield made
        made.close()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_document_tells(stage: ApiStage, mode: GenerationMode) -> None:
    login = stage.token("operator", name=f"schema-{mode.value}")
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", stage.api)
    # Whether a blueprint is there, or a name is one that can be, no document can say.
    acceptance = schema.config.checks.positive_data_acceptance
    acceptance.expected_statuses = [*acceptance.expected_statuses, "422"]
    found = []
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        asked += 1
        try:
            _try(operation, mode, login)
        except (FailureGroup, Failure) as failure:
            parts = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
            found += [f"{operation.label}: {part}" for part in parts]
    assert asked > 30
    assert found == [], "\n\n".join(found)


def _try(operation: Any, mode: GenerationMode, login: dict[str, str]) -> None:
    @settings(
        max_examples=_EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asks(case: Any) -> None:
        # A query cannot say an object: what is left of it on the wire may well be allowed.
        assume(not any(isinstance(value, dict) for value in case.query.values()))
        case.call_and_validate(headers={} if _without_login(case) else login)

    asks()


def _without_login(case: Any) -> bool:
    """Whether it is the login that is wrong; ours would put it right again."""
    head = case.meta.components.get(ParameterLocation.HEADER)
    return head is not None and head.mode.is_negative
