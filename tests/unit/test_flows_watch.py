"""What changes from one proof to the next, as a person and as a program is told it."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.unit import cli_values as values

from greenroom.cli.changes import Changes, change_lines, changes_between
from greenroom.cli.terminal import Paint
from greenroom.model.proof import Chosen, Claim, Flow, Reach, Verdict

if TYPE_CHECKING:
    from greenroom.cli.shapes import ProofReply

OPENED = values.flow("outside", "db1", 3306, Reach.OPEN, declared=False, verdict=Verdict.FAILED)
RULE = Claim(
    subject="firewall",
    claim="nothing but what is declared",
    verdict=Verdict.FAILED,
    evidence="chain forward has a rule that nobody declares",
)


def proof(*more: Flow, claims: tuple[Claim, ...] = ()) -> ProofReply:
    found: Any = values.dumped(values.proof(*more, claims=claims))
    return found


def lines(before: ProofReply, after: ProofReply) -> list[str]:
    changes = changes_between(before, after)
    if changes is None:
        return []
    told = Changes(**{**changes, "at": "2026-11-22T22:41:03.5Z"})
    return list(change_lines(told, Paint(io.StringIO())))


def test_nothing_is_said_where_nothing_changed() -> None:
    assert changes_between(proof(), proof()) is None
    sample = values.flow("backend1", "db1", 4711, Reach.FILTERED, chosen=Chosen.SAMPLE)
    assert changes_between(proof(), proof(sample)) is None
    assert changes_between(proof(sample), proof()) is None


def test_a_flow_that_opens_and_the_rule_that_opened_it() -> None:
    assert lines(proof(), proof(OPENED, claims=(RULE,))) == [
        "22:41:03 failed: outside → db1:3306 is open, not declared (was filtered)",
        "22:41:03 failed: firewall: nothing but what is declared "
        "(chain forward has a rule that nobody declares)",
        "22:41:03 the environment is failed",
    ]


def test_what_is_mended_is_told_as_well() -> None:
    assert lines(proof(OPENED, claims=(RULE,)), proof()) == [
        "22:41:03 proved: outside → db1:3306 is filtered, not declared (was open)",
        "22:41:03 mended: firewall: nothing but what is declared "
        "(chain forward has a rule that nobody declares)",
        "22:41:03 the environment is proved",
    ]


def test_what_is_mended_is_told_without_the_command_that_would_mend_it() -> None:
    mend = "chain forward drops; mend it: ip netns exec x nft add chain '{ policy drop; }'"
    told = lines(proof(claims=(replace(RULE, evidence=mend),)), proof())
    assert told[0] == (
        "22:41:03 mended: firewall: nothing but what is declared (chain forward drops)"
    )


def test_a_listener_that_comes_and_goes() -> None:
    heard = values.flow("backend1", "db1", 9000, Reach.FILTERED, chosen=Chosen.LISTENING)
    assert lines(proof(), proof(heard)) == [
        "22:41:03 proved: backend1 → db1:9000 is filtered, not declared (new)",
        "22:41:03 the environment is proved",
    ]
    assert lines(proof(heard), proof()) == [
        "22:41:03 gone: backend1 → db1:9000 is not asked any more, was filtered",
        "22:41:03 the environment is proved",
    ]


def test_a_program_gets_both_sides_of_each_change() -> None:
    changes = changes_between(proof(), proof(OPENED, claims=(RULE,)))
    assert changes is not None
    (flow,) = changes["flows"]
    assert flow["was"] is not None and flow["now"] is not None
    assert (flow["was"]["reach"], flow["now"]["reach"]) == ("filtered", "open")
    assert [claim["subject"] for claim in changes["failed"]] == ["firewall"]
    assert (changes["verdict"], changes["mended"]) == ("failed", [])
