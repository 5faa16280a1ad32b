"""The proof on AWS: what machines reported, and what the account's rules are.

No packet is sent. Who reaches whom is concluded from EC2's own rules, which are held against the
declared ones; that they are enforced is AWS's word, and is said to be not verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from greenroom.app.cloud.hearing import Doubt
from greenroom.errors import GreenroomError, NotProvedError
from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import CloudRule
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Claim, Proof, Verdict, judge_restore
from greenroom.model.stack import Machine, RestoreMode
from greenroom.model.views import MachineReport

PACKETS = "packets pass only where a rule allows it"
"""The claim that is never verified on AWS."""
RULES = "the account's rules are exactly the declared ones"


def judge(
    cloud: CloudStack,
    reports: Mapping[str, MachineReport],
    rules: Iterable[CloudRule] | GreenroomError,
    at: datetime,
    doubts: Mapping[str, Doubt],
    egress: frozenset[CloudRule],
) -> Proof:
    """Pure. ``rules`` are those of the account, or why they could not be read; ``doubts`` names
    the machines that are not those which signalled; ``egress`` is what the template lets out of
    its groups."""
    claims = [
        claim
        for machine in cloud.stack.machines
        for claim in _of_machine(machine, reports.get(machine.name), doubts.get(machine.name))
    ]
    return Proof(
        at=at,
        claims=(*claims, _rules_claim(declared_rules(cloud) | egress, rules), packets_claim()),
        flows=(),
    )


def not_proved(environment: EnvironmentName, proof: Proof) -> NotProvedError | None:
    """The error of a proof that does not hold. What nobody can verify on AWS does not count."""
    open_claims = [
        claim
        for verdict in (Verdict.FAILED, Verdict.NOT_VERIFIED)
        for claim in proof.claims
        if claim.verdict is verdict and claim.claim != PACKETS
    ]
    if not open_claims:
        return None
    first = open_claims[0]
    return NotProvedError(
        "E_NOT_PROVED",
        f"{environment} runs but is not proved: {first.subject}: {first.claim}: {first.verdict} "
        f"({first.evidence})",
        hint=f"greenroom show --provider aws {environment} shows the proof; "
        "the environment was kept",
    )


def declared_rules(cloud: CloudStack) -> frozenset[CloudRule]:
    """The ingress rules that the Stack declares for groups of its own."""
    existing = {group.name: group.ref for group in cloud.existing_groups}
    return frozenset(
        CloudRule(
            group=group.name,
            protocol=rule.protocol.value,
            first=rule.ports.first,
            last=rule.ports.last,
            source=existing.get(rule.group, rule.group) if rule.group else str(rule.network),
        )
        for group in cloud.stack.groups
        if group.name not in existing
        for rule in group.ingress
    )


def _of_machine(
    machine: Machine, report: MachineReport | None, doubt: Doubt | None
) -> Iterator[Claim]:
    yield health_claim(machine.name, report, doubt, len(machine.checks))
    if machine.volume is not None:
        empty = machine.volume.mode is RestoreMode.EMPTY
        yield data_claim(machine.name, machine.volume.source, empty, report, doubt)


def health_claim(
    machine: str, report: MachineReport | None, doubt: Doubt | None, checks: int | None
) -> Claim:
    """Whether the machine passed its own ``checks``; None: how many they were is not known."""
    if doubt is not None:
        verdict, evidence = doubt.verdict, doubt.evidence
    elif report is None:
        verdict, evidence = Verdict.NOT_VERIFIED, "its signal holds no report"
    elif checks == 0:
        verdict, evidence = Verdict.NOT_VERIFIED, "it signalled, but the blueprint checks nothing"
    else:
        verdict, evidence = Verdict.PROVED, "it signalled SUCCESS after its checks at its boot"
    return Claim(subject=machine, claim="healthy", verdict=verdict, evidence=evidence)


def data_claim(
    machine: str,
    source: str | None,
    empty: bool,
    report: MachineReport | None,
    doubt: Doubt | None,
) -> Claim:
    """Whether the machine's data is that of ``source``, or new where it is to be ``empty``."""
    claim = "empty database made" if empty else f"{source} restored and verified"
    restore = report.restore if report is not None else None
    if doubt is not None:
        verdict, evidence = doubt.verdict, doubt.evidence
    else:
        verdict, evidence = judge_restore(restore, empty=empty)
    return Claim(subject=machine, claim=claim, verdict=verdict, evidence=evidence)


def _rules_claim(
    declared: frozenset[CloudRule], rules: Iterable[CloudRule] | GreenroomError
) -> Claim:
    claim = RULES
    if isinstance(rules, GreenroomError):
        evidence = f"they could not be read: {rules.message}"
        return Claim(subject="flows", claim=claim, verdict=Verdict.NOT_VERIFIED, evidence=evidence)
    there = frozenset(rules)
    missing = sorted(str(rule) for rule in declared - there)
    extra = sorted(str(rule) for rule in there - declared)
    if missing or extra:
        parts = [f"missing: {', '.join(missing)}"] if missing else []
        parts += [f"not declared: {', '.join(extra)}"] if extra else []
        return Claim(
            subject="flows", claim=claim, verdict=Verdict.FAILED, evidence="; ".join(parts)
        )
    count = f"{len(declared)} rule{'s' if len(declared) != 1 else ''}"
    return Claim(
        subject="flows",
        claim=claim,
        verdict=Verdict.PROVED,
        evidence=f"{count}, in and out, read back from EC2",
    )


def packets_claim() -> Claim:
    """What is AWS's word alone."""
    return Claim(
        subject="flows",
        claim=PACKETS,
        verdict=Verdict.NOT_VERIFIED,
        evidence="no packets are sent on AWS: that EC2 enforces its rules is AWS's word",
    )
