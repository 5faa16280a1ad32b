"""What is known of an environment on AWS, and how: its machines, their reports, its URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from greenroom.app.cloud.hearing import Doubt
from greenroom.app.cloud.verdict import RULES, data_claim, health_claim, packets_claim
from greenroom.cloud_inventory import CloudInventory
from greenroom.model.cloud_account import FoundStack
from greenroom.model.cloud_views import Power, SeenInstance
from greenroom.model.proof import Claim, Proof, Verdict
from greenroom.model.stack import RestoreMode
from greenroom.model.views import MachineReport

REPORT = "Report"
ENDPOINT = "Endpoint"
"""How the outputs end that hold a machine's report, and an endpoint's URL."""


def machines_of(stack: FoundStack, instances: Sequence[SeenInstance]) -> tuple[str, ...]:
    """The machines by name: from their instances' tags, and from the stack's outputs, which call
    a machine by its logical id, without dashes."""
    seen = {each.machine for each in instances if each.machine and each.power is not _GONE}
    bases = {key.removesuffix(REPORT) for key in stack.outputs if key.endswith(REPORT)}
    plain = {name.replace("-", "") for name in seen}
    return tuple(sorted(seen | (bases - plain)))


def machine_finder(machines: Sequence[str]) -> Callable[[str], str | None]:
    """From a logical id to the machine that it begins with; None for what serves several."""
    bases = sorted(((name.replace("-", ""), name) for name in machines), reverse=True)

    def machine_of(logical_id: str) -> str | None:
        for base, name in bases:
            if logical_id.startswith(base) and not logical_id[len(base) :][:1].isdigit():
                return name
        return None

    return machine_of


_GONE = Power.TERMINATED


def machine_reports(
    inventory: CloudInventory, stack: FoundStack, instances: Sequence[SeenInstance]
) -> tuple[MachineReport, ...]:
    """What the machines said when they signalled; nothing of one whose word cannot be read."""
    reports = []
    for name in machines_of(stack, instances):
        signalled = stack.outputs.get(f"{name.replace('-', '')}{REPORT}")
        report = inventory.report(name, signalled) if signalled else None
        if report is not None:
            reports.append(report)
    return tuple(reports)


def urls_of(stack: FoundStack) -> tuple[str, ...]:
    """Where the endpoints answer, each once."""
    found = [stack.outputs[key] for key in sorted(stack.outputs) if key.endswith(ENDPOINT)]
    return tuple(dict.fromkeys(found))


def proof_of(
    stack: FoundStack,
    machines: Sequence[str],
    reports: Sequence[MachineReport],
    doubted: Mapping[str, Doubt],
    now: datetime,
) -> Proof:
    """What can be claimed of it, and on what grounds, in the words of its create (pure).

    A machine's checks were run by its own agent when it booted, and CloudFormation took its
    signal, which speaks of the machine that is there now unless it is ``doubted``; nobody has
    looked from outside, and the rules are not read here.
    """
    reported = {report.machine: report for report in reports}
    claims: list[Claim] = []
    for name in machines:
        claims += _claims(name, reported.get(name), doubted.get(name))
    rules = Claim(
        subject="flows",
        claim=RULES,
        verdict=Verdict.NOT_VERIFIED,
        evidence="show does not read them; greenroom drift compares them",
    )
    return Proof(at=now, claims=(*claims, rules, packets_claim()), flows=())


def _claims(name: str, report: MachineReport | None, doubt: Doubt | None) -> Iterator[Claim]:
    yield health_claim(name, report, doubt, None)
    restore = report.restore if report is not None else None
    if restore is not None:
        empty = restore.mode == RestoreMode.EMPTY
        yield data_claim(name, restore.source, empty, report, doubt)
