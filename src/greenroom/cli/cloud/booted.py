"""An environment on AWS that has just been made or changed, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from greenroom.app.cloud.create import Booted
from greenroom.cli.cloud.costs import cost_json, cost_line
from greenroom.cli.summary import restore_line
from greenroom.cli.terminal import Paint
from greenroom.cli.text import clean, duration
from greenroom.model.cloud import CloudStack
from greenroom.model.proof import Proof, RestoreReport, Verdict


def booted_lines(booted: Booted, seconds: float, paint: Paint, done: str = "") -> Iterator[str]:
    """Verdict and time, the URLs, the data's age, the code, what is open, the price, and what to
    try next. ``done`` is what else was done to it."""
    name, verdict = str(booted.draft.environment), booted.proof.verdict.value
    yield ""
    yield f"{paint('strong', name)} is {done}{paint.verdict(verdict)} in {duration(seconds)}"
    urls = urls_of(booted.draft.cloud)
    if urls:
        yield from ("", *(f"  {paint('strong', clean(url))}" for url in urls), "")
    for report in booted.reports.values():
        if report.restore is not None:
            yield f"  data  {restore_line(_RESTORE.dump_python(report.restore, mode='json'))}"
        if report.artifact is not None:
            fallback = " (the default branch's: this branch has none)"
            suffix = fallback if report.artifact.fallback else ""
            yield f"  code  {clean(report.machine)}: {clean(report.artifact.key)}{suffix}"
    for claim in booted.proof.claims:
        if claim.verdict is not Verdict.PROVED:
            yield (
                f"  {paint.verdict(claim.verdict.value)}: {clean(claim.subject)}: "
                f"{clean(claim.claim)} ({clean(claim.evidence)})"
            )
    yield f"  cost  {cost_line(booted.cost)}"
    yield f"  next  greenroom show --provider aws {name}"
    yield f"  next  greenroom destroy --provider aws {name}"


def booted_json(booted: Booted) -> dict[str, Any]:
    """The same, for a program."""
    cloud, found = booted.draft.cloud, booted.found
    artifacts = {name: report.artifact for name, report in booted.reports.items()}
    return {
        "name": str(booted.draft.environment),
        "branch": cloud.stack.branch,
        "production": cloud.stack.production,
        "region": cloud.region,
        "stack_name": found.name,
        "stack_id": found.id,
        "aws_status": found.status,
        "verdict": booted.proof.verdict.value,
        "urls": list(urls_of(cloud)),
        "machines": [
            {
                "name": machine.name,
                "type": machine.type,
                "instance_type": machine.instance_type,
                "private_dns": machine.private_dns,
                "artifact": _ARTIFACT.dump_python(artifacts.get(machine.name), mode="json"),
            }
            for machine in cloud.stack.machines
        ],
        "restores": [
            _RESTORE.dump_python(report.restore, mode="json")
            for report in booted.reports.values()
            if report.restore is not None
        ],
        "proof": _PROOF.dump_python(booted.proof, mode="json"),
        "cost": cost_json(booted.cost),
    }


def urls_of(cloud: CloudStack) -> tuple[str, ...]:
    """Where the endpoints answer: by their public names where there are any."""
    ends = (machine.endpoint for machine in cloud.stack.machines)
    urls = (end.url for end in ends if end is not None)
    return tuple(dict.fromkeys(urls))


_RESTORE = TypeAdapter(RestoreReport)
_PROOF = TypeAdapter(Proof)
_ARTIFACT: TypeAdapter[Any] = TypeAdapter(Any)
