"""``greenroom deploy --provider aws``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from greenroom.app.cloud.deploy import Deployed, deploy
from greenroom.app.cloud.draft import CloudPorts
from greenroom.app.cloud.look import find
from greenroom.cli.cloud.here import access_here
from greenroom.cli.cloud.stage import perform
from greenroom.cli.request import stack_here
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count
from greenroom.cloud import cloud_inventory
from greenroom.model.views import MachineReport


def deploy_on_aws(
    region: str | None,
    profile: str | None,
    environment: str,
    types: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Bring the current artifacts to running machines, and say which; raises GreenroomError."""
    access = access_here(region, profile)

    def work(ports: CloudPorts) -> Deployed:
        inventory = cloud_inventory(access, wait=ports.attention.wait, tell=ports.telling.notice)
        return deploy(ports, inventory, find(inventory, environment, stack_here()), types)

    deployed = perform(access, work, as_json=as_json)
    if as_json:
        say_json({"environment": deployed_json(deployed)})
        return
    name = Paint(sys.stdout)("strong", clean(deployed.environment))
    machines = count(len(deployed.reports), "machine")
    say(f"{name} is deployed: the checks of {machines} passed")
    for report in deployed.reports:
        if report.artifact is not None:
            fallback = " (the default branch's: this branch has none)"
            suffix = fallback if report.artifact.fallback else ""
            say(f"  code  {clean(report.machine)}: {clean(report.artifact.key)}{suffix}")


def deployed_json(deployed: Deployed) -> dict[str, Any]:
    """The answer for a program."""
    return {
        "name": deployed.environment,
        "machines": [_machine(report) for report in deployed.reports],
    }


def _machine(report: MachineReport) -> dict[str, Any]:
    return {
        "name": report.machine,
        "artifact": asdict(report.artifact) if report.artifact else None,
        "phases": [{"phase": each.phase, "seconds": each.seconds} for each in report.phases],
        "notices": list(report.notices),
    }
