"""Creates on a fake account, in process: what is told, what is made, and what is left."""

from __future__ import annotations

import pytest

from tests.cloud.fake.account import Account
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE, Stage

NAME = "greenroom-photos-feature-x"


@pytest.fixture
def stage(account: Account) -> Stage:
    return Stage(EXAMPLE)


def test_a_create_tells_its_parts_and_proves_what_it_can(account: Account, stage: Stage) -> None:
    machines = booting(account)
    booted = stage.create()
    assert account.stack(NAME).status == "CREATE_COMPLETE"
    assert sorted(machines.booted) == ["backend1", "db1", "feed1"]
    done = {(e.machine, e.phase) for e in stage.events if e.kind == "phase-done"}
    assert {(None, "plan"), (None, "upload"), (None, "changes"), (None, "proof")} <= done
    assert {(None, "network"), (None, "roles"), (None, "names")} <= done
    for machine in machines.booted:
        assert {(machine, "instance"), (machine, "boot")} <= done
    verdicts = {(c.subject, c.claim): c.verdict.value for c in booted.proof.claims}
    assert verdicts == {
        ("backend1", "healthy"): "proved",
        ("db1", "healthy"): "proved",
        ("db1", "extract restored and verified"): "proved",
        ("feed1", "healthy"): "proved",
        ("flows", "the account's rules are exactly the declared ones"): "proved",
        ("flows", "packets pass only where a rule allows it"): "not verified",
    }
