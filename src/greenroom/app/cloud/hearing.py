"""Whether what a machine signalled speaks of the machine that is there now (pure).

A stack keeps the signal of the first machine. When its instance is stopped, or another one takes
its place, the words stay, and nobody has said them of what runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from greenroom.model.cloud_views import Power, SeenInstance, SeenResource
from greenroom.model.proof import Verdict

_CONDITION = "AWS::CloudFormation::WaitCondition"
_GONE = (Power.TERMINATED, Power.SHUTTING_DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a signal proves nothing of the machine as it is now."""

    verdict: Verdict
    evidence: str


def doubts(
    machines: Sequence[str],
    instances: Sequence[SeenInstance] | None,
    resources: Sequence[SeenResource],
) -> Mapping[str, Doubt]:
    """The machines of which the stack's signals do not speak. ``instances`` None: nobody may look.

    EC2's LaunchTime is that of the last start (API reference, Instance), so a machine that was
    stopped and started is as unheard as a new one.
    """
    found = {
        name: _doubt(current_instance(name, instances), instances, signalled_at(name, resources))
        for name in machines
    }
    return {name: doubt for name, doubt in found.items() if doubt is not None}


def current_instance(machine: str, instances: Sequence[SeenInstance] | None) -> SeenInstance | None:
    """The newest instance of the machine that is not gone. Where the stack's outputs are all that
    names it, it has lost its dashes."""
    alive = [
        each
        for each in instances or ()
        if machine in (each.machine, each.machine.replace("-", "")) and each.power not in _GONE
    ]
    return max(alive, key=lambda each: each.launched_at, default=None)


def signalled_at(machine: str, resources: Sequence[SeenResource]) -> datetime | None:
    """When the machine's wait condition was completed, which never changes afterwards; None if
    the stack has none."""
    named = re.compile(re.escape(machine.replace("-", "")) + r"Ready[0-9a-f]*")
    return max(
        (
            each.changed_at
            for each in resources
            if each.type == _CONDITION
            and each.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            and each.changed_at is not None
            and named.fullmatch(each.logical_id)
        ),
        default=None,
    )


def _doubt(
    instance: SeenInstance | None, instances: Sequence[SeenInstance] | None, heard: datetime | None
) -> Doubt | None:
    if instances is None:
        return Doubt(
            verdict=Verdict.NOT_VERIFIED, evidence="nobody may look at its instance in EC2"
        )
    if instance is None:
        return Doubt(verdict=Verdict.FAILED, evidence="it has no instance any more")
    if instance.power is Power.PENDING:
        return Doubt(verdict=Verdict.NOT_VERIFIED, evidence=f"{instance.id} only starts")
    if instance.power is not Power.RUNNING:
        return Doubt(verdict=Verdict.FAILED, evidence=f"{instance.id} is {instance.power}")
    if heard is None:
        return Doubt(
            verdict=Verdict.NOT_VERIFIED, evidence="the stack does not say when it signalled"
        )
    if instance.launched_at > heard:
        return Doubt(
            verdict=Verdict.NOT_VERIFIED,
            evidence=f"the signal is of {heard:%Y-%m-%d %H:%M} UTC, and {instance.id} runs since "
            f"{instance.launched_at:%Y-%m-%d %H:%M}: a newer machine has not been heard",
        )
    return None
