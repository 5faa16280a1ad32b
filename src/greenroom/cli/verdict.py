"""The three things that can be said of a claim, and the verdict on a whole proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.cli.shapes import ProofReply

PROVED = "proved"
FAILED = "failed"
NOT_VERIFIED = "not verified"


def verdict_of(proof: ProofReply) -> str:
    """The worst of the claims and flows, by the rule of ``greenroom.model.proof.Proof``."""
    verdicts = [claim["verdict"] for claim in proof["claims"]]
    verdicts += [flow["verdict"] for flow in proof["flows"]]
    for worst in (FAILED, NOT_VERIFIED):
        if worst in verdicts:
            return worst
    return PROVED if verdicts else NOT_VERIFIED
