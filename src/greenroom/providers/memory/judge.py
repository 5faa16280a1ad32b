"""The simulated proof: what a Stack declares is what a simulated probe meets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from greenroom.model.flows import declares
from greenroom.model.proof import Claim, Flow, Proof, Reach, Verdict
from greenroom.model.stack import HttpCheck, Machine, Protocol, Stack, TcpCheck
from greenroom.model.views import MachineReport


def judge(
    stack: Stack,
    running: Collection[str],
    reports: Sequence[MachineReport],
    others: Sequence[Stack],
    flows_verdict: Verdict,
    at: datetime,
) -> Proof:
    """Health from what runs, data from the reports, flows as declared with the given verdict."""
    health = tuple(_health(machine, machine.name in running) for machine in stack.machines)
    restored = tuple(
        Claim(
            subject=report.machine,
            claim="its data is restored and verified",
            verdict=Verdict.PROVED,
            evidence=f"from {report.restore.source}",
        )
        for report in reports
        if report.restore is not None
    )
    flows = (*_inside(stack, flows_verdict), *_between(stack, others, flows_verdict))
    return Proof(at=at, claims=(*health, *restored), flows=flows)


def _health(machine: Machine, runs: bool) -> Claim:
    return Claim(
        subject=machine.name,
        claim="its checks pass",
        verdict=Verdict.PROVED if runs else Verdict.FAILED,
        evidence="it runs" if runs else "it does not run",
    )


def _inside(stack: Stack, verdict: Verdict) -> Iterator[Flow]:
    for target in stack.machines:
        for source in stack.machines:
            if source is not target:
                for port in _listening(target):
                    declared = declares(stack, source, target, Protocol.TCP, port)
                    yield _flow(source.name, target.name, port, declared, verdict)


def _between(stack: Stack, others: Sequence[Stack], verdict: Verdict) -> Iterator[Flow]:
    for other in others:
        first = other.machines[0]
        for target in stack.machines:
            for port in _listening(target):
                declared = declares(stack, first, target, Protocol.TCP, port, origin=other)
                source = f"{other.environment}:{first.name}"
                yield _flow(source, target.name, port, declared, verdict)


def _flow(source: str, target: str, port: int, declared: bool, verdict: Verdict) -> Flow:
    return Flow(
        source=source,
        target=target,
        protocol=Protocol.TCP,
        port=port,
        declared=declared,
        reach=Reach.OPEN if declared else Reach.FILTERED,
        verdict=verdict,
    )


def _listening(machine: Machine) -> tuple[int, ...]:
    return tuple(c.port for c in machine.checks if isinstance(c, HttpCheck | TcpCheck))
