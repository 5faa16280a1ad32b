"""The proof: what is claimed of an environment, held against what can be observed now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

from greenroom.errors import OperationError
from greenroom.model.proof import Claim, Proof, Verdict, judge_restore
from greenroom.model.stack import Machine, RestoreMode, Stack
from greenroom.model.views import MachineReport
from greenroom.providers.hearsay import text
from greenroom.providers.local.layout import Layout, MachineLayout
from greenroom.providers.local.limits import limits_met, told
from greenroom.providers.local.machine import main_pid, run_agent
from greenroom.providers.local.prove_flows import prove_flows

_CHECK_TIMEOUT_S = 60


def prove(
    layout: Layout,
    stack: Stack,
    reports: Sequence[MachineReport],
    others: Sequence[Stack],
    neighbours: Callable[[], Sequence[Stack]],
    *,
    recheck: bool,
) -> Proof:
    """Judge the environment's health, data and flows, the latter also against ``others``.

    ``neighbours`` are all other environments that have anything in the region at the moment;
    ``recheck`` asks the checks again, and more flows than a create has time for.
    """
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
        place = places[machine.name]
        health = _health(machine, machine in alive, report is not None, answers.get(machine.name))
        if place.stopped.exists():
            health = replace(health, evidence=place.stopped.read_text())
        claims.append(_with_limits(health, told(limits_met(place), machine)))
        claims += _restore(machine, report)
    proved = prove_flows(layout, stack, others, neighbours, thorough=recheck)
    return Proof(at=datetime.now(UTC), claims=(*claims, *proved.claims), flows=proved.flows)


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
    verdict, evidence = judge_restore(restore, empty=empty)
    yield Claim(subject=machine.name, claim=claim, verdict=verdict, evidence=evidence)
