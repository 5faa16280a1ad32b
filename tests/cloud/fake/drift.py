"""Drift: what the stack's resources are now in the account, against what was applied."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from tests.cloud.fake.changes import changed_properties
from tests.cloud.fake.descriptions import page
from tests.cloud.fake.engine import Engine, ask_of
from tests.cloud.fake.query import invalid
from tests.cloud.fake.records import Resource, Stack

Values = Mapping[str, Any]


class DriftActions:
    """A detection is done by the time that its id is known; asked again it says so."""

    def __init__(self, engine: Engine, stack_of: Callable[[str, Values], Stack]) -> None:
        self.engine = engine
        self.stack_of = stack_of
        self.found: dict[str, list[dict[str, Any]]] = {}
        self.table = {
            "DetectStackDrift": self.detect,
            "DescribeStackDriftDetectionStatus": self.status,
            "DescribeStackResourceDrifts": self.drifts,
        }

    def detect(self, region: str, values: Values) -> Mapping[str, Any]:
        """Compare every resource whose type can be compared."""
        stack = self.stack_of(region, values)
        if stack.busy or not stack.live or stack.status == "REVIEW_IN_PROGRESS":
            raise invalid(
                f"Drift detection cannot be performed on stack [{stack.stack_id}] while it is "
                f"in {stack.status} state"
            )
        found = [
            drift
            for resource in list(stack.resources.values())
            if (drift := self._compare(stack, resource)) is not None
        ]
        drifted = [one for one in found if one["StackResourceDriftStatus"] != "IN_SYNC"]
        detection_id = str(uuid.uuid4())
        with self.engine.lock:
            stack.drift = "DRIFTED" if drifted else "IN_SYNC"
            stack.drift_checked_at = self.engine.clock.now()
            self.found[stack.stack_id] = found
            self.engine.detections[detection_id] = stack.stack_id
        return {"StackDriftDetectionId": detection_id}

    def status(self, region: str, values: Values) -> Mapping[str, Any]:
        """How a detection ended."""
        stack_id = self.engine.detections.get(values["StackDriftDetectionId"])
        if stack_id is None:
            raise invalid(
                f"Drift detection status with id {values['StackDriftDetectionId']} does not exist"
            )
        stack = self.engine.stacks[stack_id]
        drifted = [
            one for one in self.found[stack_id] if one["StackResourceDriftStatus"] != "IN_SYNC"
        ]
        return {
            "StackId": stack_id,
            "StackDriftDetectionId": values["StackDriftDetectionId"],
            "StackDriftStatus": stack.drift,
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": len(drifted),
            "Timestamp": stack.drift_checked_at,
        }

    def drifts(self, region: str, values: Values) -> Mapping[str, Any]:
        """What the last detection found, in pages."""
        stack = self.stack_of(region, values)
        wanted = set(values.get("StackResourceDriftStatusFilters", []))
        found = [
            one
            for one in self.found.get(stack.stack_id, [])
            if not wanted or one["StackResourceDriftStatus"] in wanted
        ]
        size = min(int(values.get("MaxResults", 100)), self.engine.page_size)
        shown, token = page(found, values, size)
        return {"StackResourceDrifts": list(shown), "NextToken": token}

    def _compare(self, stack: Stack, resource: Resource) -> dict[str, Any] | None:
        """The drift of one resource; None if its type has none (wait conditions, nested stacks)."""
        kind = self.engine.kinds[resource.type]
        if kind.observe is None or resource.physical_id is None:
            return None
        ask = ask_of(self.engine, stack, resource.logical_id, resource.type, resource.properties)
        actual = kind.observe(ask, resource.physical_id)
        expected = {
            name: value for name, value in resource.properties.items() if name in (actual or {})
        }
        differences = _differences(expected, actual) if actual is not None else []
        status = "DELETED" if actual is None else ("MODIFIED" if differences else "IN_SYNC")
        resource.drift = status
        return {
            "StackId": stack.stack_id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "ExpectedProperties": json.dumps(expected),
            "ActualProperties": json.dumps({**expected, **actual}) if actual is not None else None,
            "PropertyDifferences": differences,
            "StackResourceDriftStatus": status,
            "Timestamp": self.engine.clock.now(),
        }


def _differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Only properties that the template gave are compared, as AWS does; lists without order."""
    plain = {name: _sorted(value) for name, value in expected.items()}
    there = {name: _sorted(actual[name]) for name in expected}
    return [
        {
            "PropertyPath": f"/{name}",
            "ExpectedValue": json.dumps(plain[name]),
            "ActualValue": json.dumps(there[name]),
            "DifferenceType": "NOT_EQUAL",
        }
        for name in changed_properties(plain, there)
    ]


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=json.dumps)
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return str(value)
