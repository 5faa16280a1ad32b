"""What changes from one proof to the next: pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict

from greenroom.cli.matrix import target_of
from greenroom.cli.terminal import Paint
from greenroom.cli.text import clean
from greenroom.cli.verdict import PROVED, verdict_of

if TYPE_CHECKING:
    from greenroom.cli.shapes import ClaimReply, FlowReply, ProofReply


_MEND = "; mend it: "
"""What stands in a claim's evidence between the finding and the command."""


class FlowChange(TypedDict):
    """A flow that is not what it was; ``now`` is None if it is not asked any more, because
    nothing listens there or the other environment is gone, and ``was`` if it is new."""

    was: FlowReply | None
    now: FlowReply | None


class Changes(TypedDict):
    """One line of ``flows --watch --json`` after the first: claims that are not proved and were
    not there before, and those that are gone."""

    at: str
    verdict: str
    flows: list[FlowChange]
    failed: list[ClaimReply]
    mended: list[ClaimReply]


def changes_between(before: ProofReply, after: ProofReply) -> Changes | None:
    """What a person who watches wants to know, or None if nothing changed."""
    flows = list(_flow_changes(_by_key(before), _by_key(after)))
    was, now = _open_claims(before), _open_claims(after)
    failed = [claim for claim in now if claim not in was]
    mended = [claim for claim in was if claim not in now]
    if not flows and not failed and not mended and verdict_of(before) == verdict_of(after):
        return None
    return Changes(
        at=after["at"], verdict=verdict_of(after), flows=flows, failed=failed, mended=mended
    )


def change_lines(changes: Changes, paint: Paint) -> Iterator[str]:
    """The changes for a person, each with its time of day."""
    clock = clean(changes["at"])[11:19]
    for change in changes["flows"]:
        yield f"{clock} {_flow_line(change, paint)}"
    for claim in changes["failed"]:
        # Its flows are told one by one.
        if claim["subject"] != "flows":
            yield f"{clock} {paint.verdict(claim['verdict'])}: {_claim_text(claim)}"
    for claim in changes["mended"]:
        if claim["subject"] != "flows":
            yield f"{clock} {paint('good', 'mended')}: {_claim_text(_without_mend(claim))}"
    yield f"{clock} the environment is {paint.verdict(changes['verdict'])}"


def _by_key(proof: ProofReply) -> dict[tuple[str, str], FlowReply]:
    return {(flow["source"], target_of(flow)): flow for flow in proof["flows"]}


def _open_claims(proof: ProofReply) -> list[ClaimReply]:
    return [claim for claim in proof["claims"] if claim["verdict"] != PROVED]


def _flow_changes(
    before: dict[tuple[str, str], FlowReply], after: dict[tuple[str, str], FlowReply]
) -> Iterator[FlowChange]:
    """Flows that differ; of those that came or went, only what was or is not as declared, and
    what somebody listens on."""
    for key, now in after.items():
        was = before.get(key)
        if was is None and (now["verdict"] != PROVED or now["chosen"] == "listening"):
            yield FlowChange(was=None, now=now)
        elif was is not None and _state(was) != _state(now):
            yield FlowChange(was=was, now=now)
    for key, was in before.items():
        if key not in after and (was["verdict"] != PROVED or was["chosen"] == "listening"):
            yield FlowChange(was=was, now=None)


def _state(flow: FlowReply) -> tuple[bool, str, str]:
    return flow["declared"], flow["reach"], flow["verdict"]


def _flow_line(change: FlowChange, paint: Paint) -> str:
    was, now = change["was"], change["now"]
    if now is None:
        assert was is not None
        return f"{paint('dim', 'gone')}: {_way(was)} is not asked any more, was {was['reach']}"
    before = f"was {clean(was['reach'])}" if was is not None else "new"
    wish = "declared" if now["declared"] else "not declared"
    reach = clean(now["reach"])
    return f"{paint.verdict(now['verdict'])}: {_way(now)} is {reach}, {wish} ({before})"


def _way(flow: FlowReply) -> str:
    return f"{clean(flow['source'])} → {target_of(flow)}"


def _without_mend(claim: ClaimReply) -> ClaimReply:
    """The claim without the command that would have mended it: somebody has."""
    return {**claim, "evidence": claim["evidence"].partition(_MEND)[0]}


def _claim_text(claim: ClaimReply) -> str:
    words = (claim["subject"], claim["claim"], claim["evidence"])
    subject, said, evidence = (clean(word) for word in words)
    return f"{subject}: {said} ({evidence})"
