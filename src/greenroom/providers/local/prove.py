"""The proof: what is claimed of an environment, held against what can be observed now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from greenroom.errors import OperationError
from greenroom.model.flows import declared_ports, declares, judge, promises
from greenroom.model.proof import Claim, Flow, Proof, Reach, Verdict
from greenroom.model.stack import Machine, Protocol, RestoreMode, Stack
from greenroom.model.views import MachineReport
from greenroom.providers.local.hearsay import text
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.limits import limits_met, told
from greenroom.providers.local.machine import main_pid, run_agent
from greenroom.providers.local.network import host_link_addresses
from greenroom.providers.local.probe import Target, listening_ports, probe_all

OUTSIDE = "outside"
_CHECK_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class _Peer:
    """A place that packets come from or go to; ``machine`` is None for the outside."""

    label: str
    stack: Stack | None
    machine: Machine | None
    namespace: Path | None
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class _Probe:
    """One question: the places, the port, what the Stack of the target declares, and whether it
    promises that somebody listens."""

    source: _Peer
    target: _Peer
    protocol: Protocol
    port: int
    declared: bool
    promised: bool


def prove(
    layout: Layout,
    stack: Stack,
    reports: Sequence[MachineReport],
    others: Sequence[Stack],
    *,
    recheck: bool,
) -> Proof:
    """Judge the environment's health, data and flows, the latter also against ``others``."""
    by_name = {report.machine: report for report in reports}
    places = {m.name: layout.machine(stack.environment, m.name) for m in stack.machines}
    alive = [m for m in stack.machines if main_pid(places[m.name]) is not None]
    with ThreadPoolExecutor(max_workers=4) as workers:
        asked = alive if recheck else []
        found = workers.map(lambda m: _ask(places[m.name]), asked)
        answers = {m.name: answer for m, answer in zip(asked, found, strict=True)}
    claims = []
    for machine in stack.machines:
        report = by_name.get(machine.name)
        health = _health(machine, machine in alive, report is not None, answers.get(machine.name))
        claims.append(_with_limits(health, told(limits_met(places[machine.name]), machine)))
        claims += _restore(machine, report)
    flows = _flows(layout, stack, others)
    claims.append(_flow_claim(flows, len(others)))
    return Proof(at=datetime.now(UTC), claims=tuple(claims), flows=tuple(flows))


def _health(
    machine: Machine, alive: bool, reported: bool, answer: list[str] | OperationError | None
) -> Claim:
    """``answer`` is what its checks say now: the problems, or why they could not be asked; None
    if nobody has asked since its boot."""
    count = len(machine.checks)
    checks = f"{count} check{'s' if count != 1 else ''}"
    if not alive:
        verdict, evidence = Verdict.FAILED, "its first process is gone"
    elif isinstance(answer, OperationError):
        first_line = answer.message.partition("\n")[0]
        verdict, evidence = Verdict.NOT_VERIFIED, f"it could not be asked: {first_line}"
    elif answer:
        verdict, evidence = Verdict.FAILED, "; ".join(answer)
    elif not reported:
        verdict, evidence = Verdict.NOT_VERIFIED, "it has not signalled"
    elif not count:
        verdict, evidence = Verdict.NOT_VERIFIED, "it runs, but the blueprint checks nothing"
    else:
        when = "at its boot" if answer is None else "now"
        verdict, evidence = Verdict.PROVED, f"{checks} passed {when}"
    return Claim(subject=machine.name, claim="healthy", verdict=verdict, evidence=evidence)


def _with_limits(health: Claim, met: str) -> Claim:
    """A server that was killed and came back is healthy now, but one should know."""
    return replace(health, evidence=f"{health.evidence}; since its boot {met}") if met else health


def _ask(place: MachineLayout) -> list[str] | OperationError:
    """What is wrong in the machine, by its own checks."""
    try:
        answer = run_agent(place, "check", _CHECK_TIMEOUT_S)
    except OperationError as error:
        return error
    found = answer.get("problems")
    if not isinstance(found, list):
        return OperationError("E_AGENT", "its agent gave no answer")
    return [text(problem) for problem in found]


def _restore(machine: Machine, report: MachineReport | None) -> Iterable[Claim]:
    volume = machine.volume
    if volume is None:
        return
    empty = volume.mode is RestoreMode.EMPTY
    claim = "empty database made" if empty else f"{volume.source} restored and verified"
    restore = report.restore if report is not None else None
    if restore is None:
        verdict, evidence = Verdict.NOT_VERIFIED, "the machine reported no restore"
    elif empty:
        verdict, evidence = Verdict.PROVED, "a new data directory answers"
    elif not restore.table_count or restore.verified_at is None:
        verdict, evidence = Verdict.NOT_VERIFIED, "no table was verified"
    else:
        verdict = Verdict.PROVED
        evidence = (
            f"{restore.table_count} tables, {restore.row_count:,} rows and their checksums "
            f"equalled the manifest on {restore.verified_at:%Y-%m-%d %H:%M} UTC"
        )
    yield Claim(subject=machine.name, claim=claim, verdict=verdict, evidence=evidence)


def _flow_claim(flows: Sequence[Flow], others: int) -> Claim:
    bad = [flow for flow in flows if flow.verdict is Verdict.FAILED]
    unknown = [flow for flow in flows if flow.verdict is Verdict.NOT_VERIFIED]
    opened = sum(flow.declared for flow in flows)
    if bad:
        verdict, evidence = Verdict.FAILED, "; ".join(map(_sentence, bad[:5]))
    elif unknown or not flows:
        verdict = Verdict.NOT_VERIFIED
        evidence = "; ".join(map(_sentence, unknown[:5])) or "no port to probe"
    else:
        verdict = Verdict.PROVED
        evidence = (
            f"{opened} declared flows are open, {len(flows) - opened} others closed, "
            f"{others} other environment{'s' if others != 1 else ''} probed"
        )
    return Claim(subject="flows", claim="exactly as declared", verdict=verdict, evidence=evidence)


def _sentence(flow: Flow) -> str:
    wish = "declared" if flow.declared else "not declared"
    return f"{flow.source} → {flow.target}:{flow.port}/{flow.protocol} is {flow.reach}, {wish}"


def _flows(layout: Layout, stack: Stack, others: Sequence[Stack]) -> list[Flow]:
    own = _peers(layout, stack, "")
    foreign = [p for other in others for p in _peers(layout, other, f"{other.environment}:")]
    outside = _Peer(OUTSIDE, None, None, None, IPv4Address(host_link_addresses(layout)[0]))
    probes = [
        *_questions(layout, [*own, outside, *foreign], own, promises_count=True),
        # That somebody listens there is the other environment's promise, and its proof's affair.
        *_questions(layout, own, foreign, promises_count=False),
    ]
    by_source: dict[str, list[_Probe]] = {}
    for probe in probes:
        by_source.setdefault(probe.source.label, []).append(probe)
    asked = list(by_source.values())
    answers = probe_all([(group[0].source.namespace, [_aim(p) for p in group]) for group in asked])
    return [
        Flow(
            source=probe.source.label,
            target=probe.target.label,
            protocol=probe.protocol,
            port=probe.port,
            declared=probe.declared,
            reach=reach or Reach.SILENT,
            verdict=_verdict(probe, reach),
        )
        for group, answer in zip(asked, answers, strict=True)
        if answer is not None or group[0].source.stack is stack
        for probe, reach in zip(group, answer or _no_answers(group), strict=True)
    ]


def _peers(layout: Layout, stack: Stack, prefix: str) -> list[_Peer]:
    return [
        _Peer(
            f"{prefix}{machine.name}",
            stack,
            machine,
            layout.machine(stack.environment, machine.name).namespace,
            machine.address,
        )
        for machine in stack.machines
    ]


def _questions(
    layout: Layout, sources: Sequence[_Peer], targets: Sequence[_Peer], *, promises_count: bool
) -> list[_Probe]:
    """Every source to every other target, on each port that it declares or listens on."""
    ports = {target.label: sorted(_ports(layout, target)) for target in targets}
    return [
        _Probe(
            source,
            target,
            protocol,
            port,
            declared=_declared(source, target, protocol, port),
            promised=promises_count and _promised(target, protocol, port),
        )
        for source in sources
        for target in targets
        if source.label != target.label
        for protocol, port in ports[target.label]
    ]


def _ports(layout: Layout, target: _Peer) -> frozenset[tuple[Protocol, int]]:
    assert target.stack is not None and target.machine is not None
    declared = declared_ports(target.stack, target.machine)
    pid = main_pid(layout.machine(target.stack.environment, target.machine.name))
    return declared if pid is None else declared | listening_ports(pid)


def _declared(source: _Peer, target: _Peer, protocol: Protocol, port: int) -> bool:
    assert target.stack is not None and target.machine is not None
    if source.machine is None:
        return declares(target.stack, source.address, target.machine, protocol, port)
    return declares(
        target.stack, source.machine, target.machine, protocol, port, origin=source.stack
    )


def _promised(target: _Peer, protocol: Protocol, port: int) -> bool:
    assert target.stack is not None and target.machine is not None
    return promises(target.stack, target.machine, protocol, port)


def _no_answers(group: Sequence[_Probe]) -> list[Reach | None]:
    return [None] * len(group)


def _verdict(probe: _Probe, reach: Reach | None) -> Verdict:
    """``reach`` is None if the probe could not be sent: its machine has lost its network."""
    if reach is None:
        return Verdict.NOT_VERIFIED
    return judge(probe.protocol, reach, declared=probe.declared, promised=probe.promised)


def _aim(probe: _Probe) -> Target:
    return Target(str(probe.target.address), probe.protocol, probe.port)
