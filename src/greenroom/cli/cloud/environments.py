"""``list`` and ``show`` on AWS, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from greenroom.cli.cloud.costs import cost_json, cost_line, day_words
from greenroom.cli.commands.show import (
    RESTORES,
    TABLES,
    proof_lines,
    restore_row,
    section,
    table_rows,
)
from greenroom.cli.terminal import Paint
from greenroom.cli.text import age, clean, count, duration, table
from greenroom.model.cloud_views import CloudDetail, CloudEnvironment, SeenResource
from greenroom.model.costs import Amount
from greenroom.money import amount_words

_LIST = (
    "ENVIRONMENT",
    "BRANCH",
    "STATUS",
    "VERDICT",
    "MACHINES",
    "AGE",
    "EXPIRES",
    "OWNER",
    "PRICE",
    "URL",
)
_MACHINES = ("MACHINE", "STATE", "ADDRESS", "PUBLIC", "INSTANCE", "AMI", "CODE")
_RESOURCES = ("RESOURCE", "TYPE", "STATUS", "ID", "REASON")
_PHASES = ("PHASE", "MACHINE", "TIME", "")

_ENVIRONMENT = TypeAdapter(CloudEnvironment)
_DETAIL = TypeAdapter(CloudDetail)


def list_lines(environments: tuple[CloudEnvironment, ...], now: datetime) -> list[str]:
    """The table, the head first."""
    return table(_LIST, [_row(each, now) for each in environments])


def environment_json(environment: CloudEnvironment) -> dict[str, Any]:
    """One line of the list as the CLI's JSON."""
    document: dict[str, Any] = _ENVIRONMENT.dump_python(
        replace(environment, cost=None), mode="json"
    )
    document["cost"] = None if environment.cost is None else cost_json(environment.cost)
    return document


def detail_json(detail: CloudDetail) -> dict[str, Any]:
    """All of ``show``."""
    summary = replace(detail.summary, cost=None)
    document: dict[str, Any] = _DETAIL.dump_python(replace(detail, summary=summary), mode="json")
    document["summary"] = environment_json(detail.summary)
    document["verdict"] = detail.proof.verdict.value
    return document


def detail_lines(detail: CloudDetail, now: datetime, paint: Paint) -> Iterator[str]:
    """The whole page."""
    document = detail_json(detail)
    yield from _head(detail, now, paint)
    yield from section(paint, _MACHINES, _machine_rows(detail))
    yield from section(paint, _PHASES, _phase_rows(detail))
    yield from section(paint, RESTORES, [restore_row(each) for each in document["restores"]])
    yield from section(paint, TABLES, table_rows(document["restores"]))
    yield from section(paint, _RESOURCES, [_resource_row(each) for each in detail.resources])
    for notice in detail.notices:
        yield f"notice: {clean(notice)}"
    yield from proof_lines(document["proof"], paint)


def expiry_words(environment: CloudEnvironment, now: datetime) -> str:
    """``in 3 hours``, ``expired 2 days ago`` or ``never``."""
    expires = environment.expires_at
    if expires is None:
        return "never"
    if environment.expired:
        return f"expired {age(expires.isoformat(), now)} ago"
    return f"in {age(now.isoformat(), expires)}"


def _row(environment: CloudEnvironment, now: datetime) -> tuple[str, ...]:
    branch = environment.branch + (" (production)" if environment.production else "")
    return (
        environment.name,
        branch,
        environment.status.value,
        environment.verdict.value,
        count(len(environment.machines), "machine"),
        age(environment.created_at.isoformat(), now),
        expiry_words(environment, now),
        environment.owner or "-",
        "unknown" if environment.cost is None else day_words(environment.cost),
        environment.url or "-",
    )


def _head(detail: CloudDetail, now: datetime, paint: Paint) -> Iterator[str]:
    summary = detail.summary
    production = " (production)" if summary.production else ""
    yield (
        f"{paint('strong', clean(summary.name))}{production}  "
        f"{paint.verdict(summary.status.value)}  {paint.verdict(detail.proof.verdict.value)}"
    )
    yield f"  branch   {clean(summary.branch)}"
    for url in detail.urls:
        yield f"  url      {clean(url)}"
    took = "" if detail.create_s is None else f", in {duration(detail.create_s)}"
    yield f"  created  {age(summary.created_at.isoformat(), now)} ago{took}"
    because = f": {clean(summary.reason)}" if summary.reason else ""
    where = f"{clean(summary.stack_name)} in {summary.region}"
    yield f"  stack    {where}, {summary.aws_status}{because}"
    yield f"  id       {clean(summary.stack_id)}"
    yield f"  owner    {clean(summary.owner)}"
    yield f"  expires  {expiry_words(summary, now)}"
    yield f"  delete   {'protected' if summary.protected else 'allowed'}"
    cost = summary.cost
    yield f"  costs    {'unknown: nobody may look' if cost is None else cost_line(cost)}"
    if detail.cost_usd is not None:
        yield f"  so far   {so_far_words(detail.cost_usd)}"


def so_far_words(amount: Amount) -> str:
    """What has accrued."""
    missing = f"; unknown: {', '.join(amount.unknown)}" if amount.unknown else ""
    return f"{amount_words(amount)}, by the second{missing}"


def _machine_rows(detail: CloudDetail) -> list[tuple[str, ...]]:
    return [
        (
            machine.name,
            machine.power,
            machine.address or "-",
            machine.public_address or "-",
            f"{machine.instance_id} {machine.instance_type}".strip() or "-",
            machine.image or "-",
            "-" if machine.artifact is None else machine.artifact.key,
        )
        for machine in detail.machines
    ]


def _phase_rows(detail: CloudDetail) -> list[tuple[str, ...]]:
    return [
        (phase.phase, phase.machine or "-", duration(phase.seconds).rjust(9), phase.message)
        for phase in detail.phases
    ]


def _resource_row(resource: SeenResource) -> tuple[str, ...]:
    return (
        resource.logical_id,
        resource.type,
        resource.status,
        resource.physical_id or "-",
        resource.reason if resource.status.endswith("_FAILED") else "",
    )
