"""A signal speaks of the machine that sent it, and of no other that stands there later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from moto.ec2 import ec2_backends

from greenroom.app.cloud.compare import Comparer, compare
from greenroom.app.cloud.look import find, list_environments, show
from greenroom.app.cloud.verdict import PACKETS, RULES, not_proved
from greenroom.model.cloud_views import CloudStatus, DriftKind
from greenroom.model.proof import Proof, Verdict
from tests.cloud.fake.account import REGION, Account
from tests.cloud.fake.records import ACCOUNT_ID
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE, Stage
from tests.cloud.standing import looking

NAME = "greenroom-photos-feature-x"


@pytest.fixture
def instance(account: Account) -> str:
    """The id of db1's instance, which has signalled."""
    booting(account)
    assert not_proved_codes(Stage(EXAMPLE).create().proof) == set()
    return account.stack(NAME).resources["db1"].physical_id or ""


def not_proved_codes(proof: Proof) -> set[tuple[str, str, Verdict]]:
    return {
        (c.subject, c.claim, c.verdict)
        for c in proof.claims
        if c.verdict is not Verdict.PROVED and c.claim not in (PACKETS, RULES)
    }


def shown(account: Account) -> Proof:
    return show(looking(account), "feature_x", None, datetime.now(UTC)).proof


def test_show_claims_what_create_claimed(account: Account) -> None:
    booting(account)
    made = Stage(EXAMPLE).create().proof
    now = shown(account)
    assert [(c.subject, c.claim) for c in now.claims] == [(c.subject, c.claim) for c in made.claims]
    same = [(c.verdict, c.evidence) for c in made.claims if c.claim != RULES]
    assert [(c.verdict, c.evidence) for c in now.claims if c.claim != RULES] == same


def test_what_groups_may_reach_is_read_back_too(account: Account, instance: str) -> None:
    ec2 = account.client("ec2")
    stack = account.stack(NAME)
    group = stack.resources["dbGroup"].physical_id or ""
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[everything])
    declared = stack.resources["backendTodbtcp3306"]
    ec2.revoke_security_group_egress(
        GroupId=stack.resources["backendGroup"].physical_id or "",
        SecurityGroupRuleIds=[declared.physical_id or ""],
    )
    (claim,) = [c for c in Stage(EXAMPLE).update().booted.proof.claims if c.claim == RULES]
    assert (claim.verdict, claim.evidence) == (
        Verdict.FAILED,
        "missing: backend out to db 3306/tcp; not declared: db out to 0.0.0.0/0 everything",
    )
    comparer = Comparer(inventory=looking(account), pause=account.clock.advance)
    report = compare(comparer, find(looking(account), None, None))
    found = {(d.kind, d.resource, d.actual.partition(" (")[0]) for d in report.differences}
    assert found == {
        (DriftKind.ADDED, "dbGroup", "to 0.0.0.0/0 everything"),
        (DriftKind.MISSING, "backendTodbtcp3306", "deleted"),
    }


def test_a_newer_machine_has_not_been_heard(account: Account, instance: str) -> None:
    machine = ec2_backends[ACCOUNT_ID][REGION].get_instance(instance)
    machine.launch_time = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=5)
    booted = Stage(EXAMPLE).update().booted
    unheard = {
        ("db1", "healthy", Verdict.NOT_VERIFIED),
        ("db1", "extract restored and verified", Verdict.NOT_VERIFIED),
    }
    assert not_proved_codes(booted.proof) == unheard == not_proved_codes(shown(account))
    error = not_proved(booted.draft.environment, booted.proof)
    assert error is not None
    assert f"{instance} runs since" in error.message
    assert "a newer machine has not been heard" in error.message


def test_a_stopped_machine_is_neither_healthy_nor_ready(account: Account, instance: str) -> None:
    account.client("ec2").stop_instances(InstanceIds=[instance])
    failed = {
        ("db1", "healthy", Verdict.FAILED),
        ("db1", "extract restored and verified", Verdict.FAILED),
    }
    assert not_proved_codes(shown(account)) == failed
    assert not_proved_codes(Stage(EXAMPLE).update().booted.proof) == failed
    (listed,) = list_environments(looking(account), datetime.now(UTC))
    assert (listed.status, listed.verdict) == (CloudStatus.DEGRADED, Verdict.FAILED)
    account.client("ec2").terminate_instances(InstanceIds=[instance])
    assert not_proved_codes(shown(account)) == failed
