"""The proof of an environment in a few sentences; pure."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.model.proof import Claim, Flow, Proof, Verdict
from greenroom.model.views import EnvironmentDetail, MachineView
from greenroom.plain_text import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``sentences`` say what was found; ``open_claims`` and ``open_flows`` are those at fault or
    not verified. ``before`` is the proof's own verdict, which held when it was made."""

    verdict: Verdict
    before: Verdict
    sentences: tuple[str, ...]
    open_claims: tuple[Claim, ...]
    open_flows: tuple[Flow, ...]


def evidence_of(detail: EnvironmentDetail) -> Evidence:
    """What the last proof says, of an environment whose verdict may have got worse since."""
    proof = detail.proof
    if proof is None:
        return Evidence(
            verdict=detail.summary.verdict,
            before=detail.summary.verdict,
            sentences=("Nothing was proved yet.",),
            open_claims=(),
            open_flows=(),
        )
    return Evidence(
        verdict=detail.summary.verdict,
        before=proof.verdict,
        sentences=tuple(_sentences(detail, proof)),
        open_claims=tuple(c for c in proof.claims if c.verdict is not Verdict.PROVED),
        open_flows=tuple(f for f in proof.flows if f.verdict is not Verdict.PROVED),
    )


def health_of(detail: EnvironmentDetail, machine: MachineView) -> Claim | None:
    """What the last proof says of a machine's health, the worst first."""
    claims = () if detail.proof is None else detail.proof.claims
    mine = [claim for claim in claims if claim.subject == machine.name]
    order = (Verdict.FAILED, Verdict.NOT_VERIFIED, Verdict.PROVED)
    return min(mine, key=lambda claim: order.index(claim.verdict), default=None)


def _sentences(detail: EnvironmentDetail, proof: Proof) -> list[str]:
    machines = len(detail.machines)
    well = sum(_is_proved(health_of(detail, machine)) for machine in detail.machines)
    said = [f"{count(well, 'machine')} of {machines} as expected"]
    tables = sum(restore.table_count for restore in detail.restores)
    if tables:
        rows = sum(restore.row_count for restore in detail.restores)
        said.append(f"{count(tables, 'table')} with {rows:,} rows restored and verified")
    declared = [flow for flow in proof.flows if flow.declared]
    if proof.flows:
        opened = sum(flow.verdict is Verdict.PROVED for flow in declared)
        closed = sum(f.verdict is Verdict.PROVED for f in proof.flows if not f.declared)
        said.append(f"{opened} of {count(len(declared), 'allowed connection')} open")
        said.append(f"{count(closed, 'other')} tried and closed")
    return said


def _is_proved(claim: Claim | None) -> bool:
    return claim is not None and claim.verdict is Verdict.PROVED
