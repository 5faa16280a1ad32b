"""Proving what may still be starting."""

from __future__ import annotations

from collections.abc import Callable

from greenroom.model.proof import Proof, Verdict

_PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""A database that was killed reads its log first, for a while."""


def prove_patiently(prove: Callable[[], Proof], wait: Callable[[float], bool]) -> Proof:
    """Prove until it holds, or the patience is at its end: the last proof counts.

    ``wait`` pauses for so many seconds, and is true if there is no point in going on.
    """
    proof = prove()
    for pause_s in _PAUSES_S:
        if proof.verdict is Verdict.PROVED or wait(pause_s):
            break
        proof = prove()
    return proof
