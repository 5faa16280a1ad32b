"""CloudFormation's own drift detection, asked for and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenroom.model.cloud_views import (
    Compared,
    Difference,
    DriftKind,
    Unverified,
)
from greenroom.providers.aws.session import Account


def begin_detection(account: Account, stack_id: str) -> str:
    """Start it; its id."""
    reply = account.call("cloudformation", "DetectStackDrift", about=stack_id, StackName=stack_id)
    return str(reply["StackDriftDetectionId"])


def detection_ended(account: Account, detection_id: str) -> tuple[bool, str]:
    """Whether it is over, and why it could not compare everything, if it could not."""
    reply = account.call(
        "cloudformation",
        "DescribeStackDriftDetectionStatus",
        about=detection_id,
        StackDriftDetectionId=detection_id,
    )
    status = reply["DetectionStatus"]
    failed = status == "DETECTION_FAILED"
    reason = str(reply.get("DetectionStatusReason") or status) if failed else ""
    return status != "DETECTION_IN_PROGRESS", reason


def read_drifts(account: Account, stack_id: str) -> Compared:
    """What the last detection found of each resource."""
    pages = account.pages(
        "cloudformation",
        "DescribeStackResourceDrifts",
        about=stack_id,
        StackName=stack_id,
    )
    rows = [raw for page in pages for raw in page.get("StackResourceDrifts", [])]
    return parse_drifts(rows)


def parse_drifts(rows: list[Mapping[str, Any]]) -> Compared:
    """The rows of DescribeStackResourceDrifts as values (pure)."""
    differences: list[Difference] = []
    unverified: list[Unverified] = []
    compared: list[str] = []
    for raw in rows:
        match raw["StackResourceDriftStatus"]:
            case "IN_SYNC":
                compared.append(raw["LogicalResourceId"])
            case "MODIFIED":
                compared.append(raw["LogicalResourceId"])
                differences += [_changed(raw, each) for each in raw["PropertyDifferences"]]
            case "DELETED":
                compared.append(raw["LogicalResourceId"])
                differences.append(_missing(raw))
            case status:
                why = str(raw.get("DriftStatusReason") or status)
                unverified.append(
                    Unverified(resource=raw["LogicalResourceId"], type=raw["ResourceType"], why=why)
                )
    return Compared(
        differences=tuple(differences), unverified=tuple(unverified), compared=tuple(compared)
    )


def _changed(raw: Mapping[str, Any], property_: Mapping[str, Any]) -> Difference:
    """A difference of one property; CloudFormation gives both values as text."""
    kind = property_.get("DifferenceType")
    return Difference(
        kind=DriftKind.ADDED if kind == "ADD" else DriftKind.CHANGED,
        resource=raw["LogicalResourceId"],
        type=raw["ResourceType"],
        physical_id=raw.get("PhysicalResourceId") or "",
        where=property_["PropertyPath"],
        expected="" if kind == "ADD" else str(property_.get("ExpectedValue", "")),
        actual="" if kind == "REMOVE" else str(property_.get("ActualValue", "")),
    )


def _missing(raw: Mapping[str, Any]) -> Difference:
    return Difference(
        kind=DriftKind.MISSING,
        resource=raw["LogicalResourceId"],
        type=raw["ResourceType"],
        physical_id=raw.get("PhysicalResourceId") or "",
        where="",
        expected="there",
        actual="deleted",
    )
