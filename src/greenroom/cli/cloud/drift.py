"""``greenroom drift``: what differs between an environment and the account."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from greenroom.app.cloud.compare import Comparer, compare
from greenroom.app.cloud.look import find
from greenroom.cli.cloud.here import inventory_here
from greenroom.cli.commands.show import section
from greenroom.cli.request import stack_here
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count
from greenroom.errors import NotProvedError
from greenroom.model.cloud_views import DriftReport

_REPORT = TypeAdapter(DriftReport)
_DIFFERENCES = ("DIFFERENCE", "RESOURCE", "PROPERTY", "EXPECTED", "ACTUAL")
_UNVERIFIED = ("NOT VERIFIED", "TYPE", "WHY")


def drift_on_aws(
    region: str | None, profile: str | None, environment: str | None, *, as_json: bool
) -> None:
    """Compare, print, and raise NotProvedError E_AWS_DRIFTED if anything differs."""
    inventory = inventory_here(region, profile)
    stack = find(inventory, environment, stack_here())
    report = compare(Comparer(inventory=inventory), stack)
    if as_json:
        say_json(report_json(report))
    else:
        for line in report_lines(report, Paint(sys.stdout)):
            say(line)
    if report.differences:
        raise NotProvedError(
            "E_AWS_DRIFTED",
            f"{report.environment} is not as declared: "
            f"{count(len(report.differences), 'difference')}",
            hint="greenroom update puts back what the template says, where it changes anything; "
            "what was added by hand goes by hand",
        )


def report_json(report: DriftReport) -> dict[str, Any]:
    """For a program, with the verdict."""
    document: dict[str, Any] = _REPORT.dump_python(report, mode="json")
    return {**document, "verdict": report.verdict.value}


def report_lines(report: DriftReport, paint: Paint) -> Iterator[str]:
    """Verdict, differences, and what nobody could compare."""
    yield (
        f"{paint('strong', clean(report.environment))}  {paint.verdict(report.verdict.value)}  "
        f"{count(report.compared, 'resource')} compared, "
        f"{count(len(report.differences), 'difference')}, {len(report.unverified)} not verified"
    )
    rows = [
        (
            each.kind.value,
            each.resource,
            each.where or "-",
            each.expected or "-",
            each.actual or "-",
        )
        for each in report.differences
    ]
    yield from section(paint, _DIFFERENCES, rows)
    yield from section(
        paint, _UNVERIFIED, [(each.resource, each.type, each.why) for each in report.unverified]
    )
