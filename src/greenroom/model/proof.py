"""What greenroom claims about an environment, each claim with its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from greenroom.model.stack import Protocol


class Verdict(StrEnum):
    """The only three things that can be said of a claim."""

    PROVED = "proved"
    FAILED = "failed"
    NOT_VERIFIED = "not verified"


class Reach(StrEnum):
    """What a probe met. The region rejects what it does not allow, so each one is an answer."""

    OPEN = "open"
    REFUSED = "refused"
    """Allowed, and nobody listens."""
    FILTERED = "filtered"
    SILENT = "silent"
    """No answer in time, and nothing that shows where the packet went: no conclusion."""


class Chosen(StrEnum):
    """Why a port was probed."""

    DECLARED = "declared"
    """A rule of the target names it, or it is a service of the region."""
    LISTENING = "listening"
    """Something listens on it."""
    SAMPLE = "sample"
    """One of the others, chosen by a hash of the target's name: the same ones every time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One probe: from ``source`` to ``target`` on one port, what the Stack declares, and what the
    probe met.

    Both are machine names, or ``stack/slug:machine`` for another environment, or ``outside``; a
    target may also be a service of the region (``metadata``, ``dns``, ``buckets``), the
    ``region`` itself, the ``host`` or an address ``beyond`` it.
    """

    source: str
    target: str
    protocol: Protocol
    port: int
    declared: bool
    reach: Reach
    verdict: Verdict
    chosen: Chosen = Chosen.DECLARED


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line of a proof: ``subject`` (``db1``, ``flows``), what is claimed, the verdict, why."""

    subject: str
    claim: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """A restored table beside its manifest entry. Checksums are 16 hex digits, see docs/data.md."""

    name: str
    rows: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """Evidence of one restore.

    ``restore_s`` and ``verify_s`` are the cold restore's own times, also for a clone;
    ``clone_s`` is what the clone took, else None. ``tables`` is empty when there are more than a
    signal can carry; the counts are always there.
    """

    machine: str
    source: str | None
    mode: str
    artefact_sha256: str | None
    taken_at: datetime | None
    verified_at: datetime | None
    restore_s: float | None
    verify_s: float | None
    clone_s: float | None
    tables: tuple[TableReport, ...]
    table_count: int
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The verdict on an environment: the worst of its claims and flows."""

    at: datetime
    claims: tuple[Claim, ...]
    flows: tuple[Flow, ...]

    @property
    def verdict(self) -> Verdict:
        """FAILED if anything failed, else NOT_VERIFIED if anything is open, else PROVED."""
        verdicts = [claim.verdict for claim in self.claims] + [f.verdict for f in self.flows]
        for worst in (Verdict.FAILED, Verdict.NOT_VERIFIED):
            if worst in verdicts:
                return worst
        return Verdict.PROVED if verdicts else Verdict.NOT_VERIFIED


def judge_restore(restore: RestoreReport | None, *, empty: bool) -> tuple[Verdict, str]:
    """What a machine's word about its restore is worth, with the evidence; ``empty``: a new
    database was asked for."""
    if restore is None:
        return Verdict.NOT_VERIFIED, "the machine reported no restore"
    if empty:
        return Verdict.PROVED, "a new data directory answers"
    if not restore.table_count or restore.verified_at is None:
        return Verdict.NOT_VERIFIED, "no table was verified"
    return Verdict.PROVED, (
        f"{restore.table_count} tables, {restore.row_count:,} rows and their checksums "
        f"equalled the manifest on {restore.verified_at:%Y-%m-%d %H:%M} UTC"
    )


def differences(before: Proof, after: Proof) -> tuple[str, ...]:
    """What one proof says and another does not: each claim and flow by its verdict (pure). How
    long something took and when is no difference."""
    said, says = (
        {(c.subject, c.claim): str(c.verdict) for c in proof.claims}
        | {
            (f"{f.source} to {f.target}", f"{f.port}/{f.protocol}"): f"{f.reach}, {f.verdict}"
            for f in proof.flows
        }
        for proof in (before, after)
    )
    return tuple(
        f"{subject}: {what}: {said.get((subject, what), 'nothing')} before, "
        f"{says.get((subject, what), 'nothing')} now"
        for subject, what in sorted(said.keys() | says.keys())
        if said.get((subject, what)) != says.get((subject, what))
    )
