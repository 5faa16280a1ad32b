"""``greenroom drift``: what differs between an environment and the account."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from greenroom.app.cloud.compare import Comparer, compare
from greenroom.app.cloud.draft import CloudPorts, Wish, plan_offline
from greenroom.app.cloud.look import find
from greenroom.app.cloud.words import with_words
from greenroom.blueprint.parse import load_blueprint
from greenroom.cli.cloud.here import access_here, inventory_here
from greenroom.cli.cloud.stage import perform
from greenroom.cli.commands.show import section
from greenroom.cli.request import blueprint_path, stack_here
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count
from greenroom.errors import NotProvedError
from greenroom.model.cloud_account import FoundStack
from greenroom.model.cloud_views import DriftKind, DriftReport
from greenroom.model.requests import CreateRequest
from greenroom.plan.selection import types_by_alias
from greenroom.providers.aws.session import Access

_REPORT = TypeAdapter(DriftReport)
_DIFFERENCES = ("DIFFERENCE", "RESOURCE", "PROPERTY", "EXPECTED", "ACTUAL")
_UNVERIFIED = ("NOT VERIFIED", "TYPE", "WHY")


def drift_on_aws(
    region: str | None, profile: str | None, environment: str | None, *, as_json: bool
) -> None:
    """Compare, print, and raise NotProvedError E_AWS_DRIFTED if anything differs."""
    inventory = inventory_here(region, profile)
    stack = find(inventory, environment, stack_here())
    wanted = _template_here(stack, access_here(region, profile))
    report = compare(Comparer(inventory=inventory), stack, wanted)
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
            hint=_hint(report, inventory.region),
        )


def _hint(report: DriftReport, region: str) -> str:
    """What works. An update changes only what differs between two templates, so what hands did to
    the account is undone by hand, or by making the environment anew."""
    stopped = [d.physical_id for d in report.differences if d.actual in _STARTABLE]
    other = [d for d in report.differences if d.actual not in _STARTABLE]
    hints = []
    if stopped:
        ids = " ".join(stopped)
        hints.append(f"aws ec2 start-instances --region {region} --instance-ids {ids}")
    if any(each.kind is DriftKind.BLUEPRINT for each in other):
        hints.append("greenroom update makes what the blueprint says now")
    if any(each.kind is not DriftKind.BLUEPRINT for each in other):
        hints.append("what hands have changed goes back by hand, or with destroy and create")
    return "\n".join(hints)


_STARTABLE = ("stopped", "stopping")


def _template_here(stack: FoundStack, access: Access) -> Mapping[str, Any] | None:
    """The template that the blueprint in this folder or a parent gives for the environment, with
    the words of its create; None if there is no blueprint of its stack. Raises InputError for one
    with faults."""
    identity = stack.identity
    if identity is None or stack_here() != identity.environment.stack:
        return None
    path = blueprint_path(None)
    asked = CreateRequest(blueprint=path, branch=identity.branch)
    blueprint = load_blueprint(path)
    request = with_words(asked, identity.request, types_by_alias(blueprint))
    wish = Wish(blueprint=blueprint, request=request, words=identity.request)

    def work(ports: CloudPorts) -> Mapping[str, Any]:
        taken = {identity.environment.slug: identity.branch}
        cloud = plan_offline(ports, wish, identity.owner, taken)
        document: Mapping[str, Any] = json.loads(ports.compile(cloud, wish.words).body)
        return document

    return perform(access, work, as_json=True, quiet=True)


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
