"""Creates on a fake account: what is told, what is made, what is left, and what they cost."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from greenroom.errors import CancelledError, GreenroomError, RefusedError
from greenroom.model.events import Event
from tests.cloud.fake.account import Account
from tests.cloud.fake.kinds import Launch
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE, Stage

NAME = "greenroom-photos-feature-x"
LONGEST_PAUSE_S = 1.0


@pytest.fixture
def stage(account: Account) -> Stage:
    return Stage(EXAMPLE)


def live_stacks(account: Account) -> list[tuple[str, str]]:
    return [
        (s.name, s.status) for s in account.engine.stacks.values() if s.status[:8] != "DELETE_C"
    ]


def instances(account: Account) -> list[str]:
    reservations = account.client("ec2").describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]}]
    )["Reservations"]
    return [i["InstanceId"] for each in reservations for i in each["Instances"]]


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
    restore = booted.reports["db1"].restore
    assert restore is not None
    assert (restore.source, restore.row_count) == ("extract", 1200)
    tags = booted.found.tags
    assert tags["greenroom:branch"] == "feature_x"
    assert tags["greenroom:environment"] == "photos/feature-x"


def test_what_is_uploaded_once_is_not_uploaded_again(account: Account, stage: Stage) -> None:
    booting(account)
    stage.create()
    put = account.log.counts()["s3:PutObject"]
    assert put == 4, "the agent and the recipes of three images"
    Stage(EXAMPLE).create(branch="feature_y")
    assert account.log.counts()["s3:PutObject"] == put


def test_the_number_of_calls_does_not_grow_with_the_machines(account: Account) -> None:
    """But for pages of events, and for a template so big that it goes by S3."""
    counts = {}
    booting(account)
    for number in (1, 3):
        account.log.clear()
        Stage(EXAMPLE).create(branch=f"many-{number}", machines=(f"backend={number}", "db", "feed"))
        counts[number] = account.log.counts()
        for once in ("s3:PutObject", "cloudformation:DescribeStackEvents"):
            del counts[number][once]
    assert counts[1] == counts[3]
    assert counts[1] == {
        "sts:GetCallerIdentity": 1,
        "cloudformation:DescribeStacks": 3,
        "ec2:DescribeVpcs": 1,
        "ec2:DescribeSubnets": 1,
        "ssm:GetParameters": 1,
        "ec2:DescribeVpcAttribute": 2,
        "s3:HeadBucket": 3,
        # Agent and three recipes; two artifacts and a checksum; the manifest.
        "s3:HeadObject": 8,
        "cloudformation:CreateChangeSet": 1,
        "cloudformation:DescribeChangeSet": 1,
        "cloudformation:ExecuteChangeSet": 1,
        "ec2:DescribeSecurityGroups": 1,
        "ec2:DescribeInstances": 1,
        "cloudformation:ListStackResources": 1,
    }


def test_the_end_of_a_stack_is_seen_soon(account: Account, stage: Stage) -> None:
    """What greenroom adds to the stack's own time is the pause between two looks, and its own
    calls. How long these take is measured, not tested: other tests run beside this one."""
    booting(account, delay_s=3.0)
    stage.create()
    assert stage.person.pauses_s
    assert max(stage.person.pauses_s) <= LONGEST_PAUSE_S


def test_a_machines_own_reason_is_what_the_error_says(account: Account, stage: Stage) -> None:
    booting(account, broken={"db1": "restore: the dump is truncated at byte 81920"})
    with pytest.raises(GreenroomError) as caught:
        stage.create()
    assert caught.value.code == "E_MACHINE_FAILED"
    assert caught.value.message == (
        "db1: restore: the dump is truncated at byte 81920; nothing of it is left"
    )
    assert caught.value.hint == (
        "mend it and create again; with --keep-failed the machine stays for a look"
    )
    assert live_stacks(account) == []
    assert instances(account) == []
    failed = [e for e in stage.events if e.kind == "phase-failed" and e.machine == "db1"]
    assert [e.phase for e in failed] == ["boot"]


def test_a_machine_that_says_nothing_is_told_with_its_timeout(
    account: Account, stage: Stage
) -> None:
    machines = booting(account, silent={"backend1"})

    def on_event(event: Event) -> None:
        if (event.machine, event.phase, event.kind) == ("backend1", "boot", "phase-started"):
            account.clock.advance(1900)

    stage.on_event = on_event
    with pytest.raises(GreenroomError) as caught:
        stage.create()
    assert (caught.value.code, caught.value.message) == (
        "E_MACHINE_SILENT",
        "backend1 did not signal within 1800 s; nothing of it is left",
    )
    assert live_stacks(account) == []
    machines.signal("backend1")
    assert machines.statuses[-1] in (200, 403, 404), "after the timeout nobody listens any more"


def test_a_signal_that_arrives_twice_counts_once(account: Account, stage: Stage) -> None:
    machines = booting(account, repeat=2)
    booted = stage.create()
    assert booted.found.status == "CREATE_COMPLETE"
    assert sorted(booted.reports) == ["backend1", "db1", "feed1"]
    assert set(machines.statuses) == {200}


def test_what_a_machine_wrote_into_the_zone_does_not_keep_a_failed_create(
    account: Account, tmp_path: Path
) -> None:
    folder = shutil.copytree(EXAMPLE.parent, tmp_path / "photos")
    blueprint, machine = folder / EXAMPLE.name, "  backend:\n    image: web\n"
    text = blueprint.read_text()
    assert machine in text
    blueprint.write_text(text.replace(machine, f"{machine}    aws: {{auto_scaling: true}}\n"))

    def write_name(launch: Launch) -> None:
        if launch.tags["greenroom:machine"] == "backend1":
            zone = account.stack(NAME).resources["PrivateZone"].physical_id
            record = {
                "Name": "backend.feature-x.photos.internal",
                "Type": "A",
                "SetIdentifier": "backend1",
                "MultiValueAnswer": True,
                "TTL": 30,
                "ResourceRecords": [{"Value": launch.private_ip}],
            }
            account.client("route53").change_resource_record_sets(
                HostedZoneId=zone,
                ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
            )

    account.on_instance(write_name)
    booting(account, broken={"backend1": "it does not answer"})
    with pytest.raises(GreenroomError) as raised:
        Stage(blueprint).create()
    assert raised.value.message == "backend1: it does not answer; nothing of it is left"
    assert live_stacks(account) == []


def test_a_failed_environment_is_kept_if_asked(account: Account, stage: Stage) -> None:
    booting(account, broken={"backend1": "check: /health answered 500"})
    with pytest.raises(GreenroomError) as caught:
        stage.create(keep_failed=True)
    assert caught.value.message == (
        "backend1: check: /health answered 500; it is kept as it is "
        f"({NAME}, CREATE_FAILED) and costs what it costs"
    )
    assert caught.value.hint.splitlines()[-1] == (
        "greenroom shell --provider aws photos/feature-x backend1 looks inside, "
        "greenroom destroy --provider aws photos/feature-x removes it"
    )
    assert live_stacks(account) == [(NAME, "CREATE_FAILED")]
    assert len(instances(account)) == 3
    with pytest.raises(GreenroomError) as again:
        Stage(EXAMPLE).create()
    assert again.value.code == "E_AWS_STACK_FAILED"
    assert again.value.message.startswith(
        f"photos/feature-x is there, and broken: its stack {NAME} is CREATE_FAILED"
    )


def test_ctrl_c_deletes_what_was_begun(account: Account, stage: Stage) -> None:
    booting(account, silent={"db1"})
    stage.press_while_booting("db1")
    with pytest.raises(CancelledError) as caught:
        stage.create()
    assert caught.value.message == (
        "create of photos/feature-x was cancelled; nothing of it is left"
    )
    assert live_stacks(account) == []
    assert instances(account) == []


def test_ctrl_c_before_cloudformation_begins_leaves_no_shell(
    account: Account, stage: Stage
) -> None:
    def on_event(event: Event) -> None:
        if (event.phase, event.kind) == ("changes", "phase-done"):
            stage.person.presses += 1

    stage.on_event = on_event
    with pytest.raises(CancelledError):
        stage.create()
    assert live_stacks(account) == []


def test_a_second_ctrl_c_leaves_it_to_cloudformation(account: Account, stage: Stage) -> None:
    booting(account, silent={"db1"})

    def on_event(event: Event) -> None:
        pressed = (event.machine, event.phase, event.kind) == ("db1", "boot", "phase-started")
        again = (event.phase, event.kind) == ("destroy", "phase-started")
        if pressed or again:
            stage.person.presses += 1

    stage.on_event = on_event
    account.faults.slow_resource("baseGroup", 30, on="delete")
    with pytest.raises(GreenroomError) as caught:
        stage.create()
    assert caught.value.code == "E_LEFT_TO_AWS"
    stack_id = account.stack(NAME).stack_id
    assert caught.value.message == (
        f"CloudFormation goes on deleting photos/feature-x ({stack_id})"
    )


def test_production_cannot_be_deleted_by_accident(account: Account, stage: Stage) -> None:
    booting(account)
    booted = stage.create(branch="master")
    assert booted.draft.cloud.stack.production
    assert account.stack("greenroom-photos-master").protected


def test_what_costs_more_than_allowed_is_refused_before_anything_is_made(
    account: Account, stage: Stage
) -> None:
    with pytest.raises(RefusedError) as caught:
        stage.create(max_usd_per_day=Decimal("0.50"))
    assert caught.value.code == "E_COST_LIMIT"
    changing = [name for name in account.log.counts() if ":Create" in name or ":Put" in name]
    assert changing == []


def test_a_plan_leaves_nothing_behind(account: Account, stage: Stage) -> None:
    planned = stage.plan()
    assert planned.changes is not None
    assert len(planned.changes) == planned.template.resources
    assert {change.kind.value for change in planned.changes} == {"add"}
    assert live_stacks(account) == []
    assert account.engine.change_sets == {}


def test_a_plan_without_credentials_says_so(
    account: Account, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    planned = Stage(EXAMPLE).plan()
    assert planned.changes is None
    assert planned.unasked == (
        "there are no AWS credentials to ask for cloudformation:DescribeStacks with "
        "(Unable to locate credentials)"
    )
    assert planned.template.resources > 30


def test_a_plan_of_what_is_there_says_what_an_update_would_do(
    account: Account, stage: Stage
) -> None:
    booting(account)
    stage.create()
    planned = Stage(EXAMPLE).plan()
    assert planned.found is not None
    assert planned.changes == ()
    assert account.stack(NAME).status == "CREATE_COMPLETE"
