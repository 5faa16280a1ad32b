"""Updates on a fake account: only what must be is replaced, and production is asked for."""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from greenroom.errors import CancelledError, GreenroomError, RefusedError
from greenroom.model.events import Event
from tests.cloud.fake.account import Account
from tests.cloud.machines import Machines, booting
from tests.cloud.stage import EXAMPLE, Stage

NAME = "greenroom-photos-feature-x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example that a test may edit."""
    shutil.copytree(EXAMPLE.parent / "images", tmp_path / "images")
    for bucket in ("artifacts", "data"):
        (tmp_path / bucket).mkdir()
    shutil.copy(EXAMPLE, tmp_path / EXAMPLE.name)
    return tmp_path


def edit(folder: Path, old: str, new: str) -> Path:
    path = folder / EXAMPLE.name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.fixture
def machines(account: Account, folder: Path) -> Machines:
    """feature_x stands, with two backends."""
    machines = booting(account)
    Stage(folder / EXAMPLE.name).create(machines=("backend=2", "db", "feed"))
    machines.booted.clear()
    return machines


def test_nothing_to_do_is_a_success(account: Account, machines: Machines, folder: Path) -> None:
    stage = Stage(folder / EXAMPLE.name)
    updated = stage.update()
    assert updated.changes == ()
    assert stage.told("notice") == ["photos/feature-x is as the blueprint says: nothing to do"]
    assert machines.booted == []
    assert account.stack(NAME).status == "CREATE_COMPLETE"


def test_only_the_machines_that_change_boot_anew(
    account: Account, machines: Machines, folder: Path
) -> None:
    """Also two backends stay two, though nobody says so again."""
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    stage = Stage(path)
    updated = stage.update()
    assert machines.booted == ["db1"]
    kinds = {change.logical_id: change.kind.value for change in updated.changes}
    assert kinds["db1"] in ("replace", "may replace")
    assert not any(name.startswith(("backend1", "backend2", "feed1")) for name in kinds)
    assert updated.booted.found.status == "UPDATE_COMPLETE"
    assert sorted(updated.booted.reports) == ["backend1", "backend2", "db1", "feed1"]
    assert any(told.startswith(kinds["db1"]) for told in stage.told("notice"))
    (lost,) = [told for told in stage.told("notice") if told.startswith("db1 boots anew")]
    assert lost.endswith(": its data is gone, and is restored from extract")


def test_one_more_machine_boots_alone(account: Account, folder: Path) -> None:
    """And what it was asked to restore is asked no more: the database stays empty as it was."""
    machines = booting(account)
    path = folder / EXAMPLE.name
    Stage(path).create(restore=(("db", "none"),))
    before = {
        name: resource.physical_id for name, resource in account.stack(NAME).resources.items()
    }
    machines.booted.clear()
    updated = Stage(path).update(machines=("backend=2", "db", "feed"))
    assert machines.booted == ["backend2"]
    assert {c.logical_id for c in updated.changes if not c.logical_id.startswith("backend2")} == {
        c.logical_id for c in updated.changes if c.type == "AWS::Route53::RecordSet"
    }
    stack = account.stack(NAME)
    assert {n: stack.resources[n].physical_id for n in before} == before
    assert Stage(path).update().changes == ()
    (found,) = Stage(path).ports.account.environments()
    assert found.identity is not None
    assert found.identity.request == "backend=2 db feed --restore db=none"
    assert not any("request" in key for key in found.tags)


def test_other_words_for_the_same_machines_are_kept_without_a_change(
    account: Account, folder: Path
) -> None:
    machines = booting(account)
    path = folder / EXAMPLE.name
    Stage(path).create()
    machines.booted.clear()
    planned = Stage(path).plan(machines=("backend", "db", "feed"))
    assert planned.changes == ()
    assert Stage(path).update(machines=("backend", "db", "feed")).changes == ()
    assert (machines.booted, account.stack(NAME).status) == ([], "UPDATE_COMPLETE")
    (found,) = Stage(path).ports.account.environments()
    assert found.identity is not None
    assert found.identity.request == "backend db feed"


def test_the_words_outlive_an_update_that_fails(account: Account, folder: Path) -> None:
    machines = booting(account)
    path = folder / EXAMPLE.name
    Stage(path).create(restore=(("db", "none"),))
    machines.broken["backend2"] = "no such artifact"
    with pytest.raises(GreenroomError):
        Stage(path).update(machines=("backend=2", "db", "feed"))
    (found,) = Stage(path).ports.account.environments()
    assert found.identity is not None
    assert found.identity.request == "--restore db=none"


def test_a_plan_of_what_stands_is_that_of_its_update(
    account: Account, machines: Machines, folder: Path
) -> None:
    planned = Stage(folder / EXAMPLE.name).plan()
    assert (planned.changes, planned.losses) == ((), ())
    assert [m.name for m in planned.cloud.machines if m.name.startswith("backend")] == [
        "backend1",
        "backend2",
    ]
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    assert [loss.machine for loss in Stage(path).plan().losses] == ["db1"]


def test_an_update_that_is_kept_as_it_failed_is_gone_on_with(
    account: Account, machines: Machines, folder: Path
) -> None:
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    machines.broken["db1"] = "restore: no such table"
    with pytest.raises(GreenroomError) as caught:
        Stage(path).update(keep_failed=True)
    assert caught.value.message == (
        "db1: restore: no such table; photos/feature-x is kept half updated "
        f"({NAME}, UPDATE_FAILED)"
    )
    assert caught.value.hint == (
        "mend it and update again\n"
        "greenroom shell --provider aws photos/feature-x db1 looks inside\n"
        "the next greenroom update --provider aws photos/feature-x goes on from here; to go "
        f"back: aws cloudformation rollback-stack --region eu-west-1 --stack-name {NAME}"
    )
    assert account.stack(NAME).status == "UPDATE_FAILED"
    machines.broken.clear()
    edit(folder, "{tcp: 3306, deadline_s: 61}", "{tcp: 3306, deadline_s: 62}")
    assert Stage(path).plan().changes
    updated = Stage(path).update()
    assert updated.booted.found.status == "UPDATE_COMPLETE"


def test_a_rule_changes_without_a_machine(
    account: Account, machines: Machines, folder: Path
) -> None:
    path = edit(folder, "{port: 80, from: anywhere}", "{port: 80, from: 10.0.0.0/8}")
    updated = Stage(path).update()
    assert machines.booted == []
    assert {change.type for change in updated.changes} == {"AWS::EC2::SecurityGroupIngress"}
    rules = [c for c in updated.booted.proof.claims if "rules" in c.claim]
    assert [claim.verdict.value for claim in rules] == ["proved"]


def test_an_update_that_fails_is_taken_back_with_its_reason(
    account: Account, machines: Machines, folder: Path
) -> None:
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    machines.broken["db1"] = "restore: no such table"
    with pytest.raises(GreenroomError) as caught:
        Stage(path).update()
    assert (caught.value.code, caught.value.message) == (
        "E_MACHINE_FAILED",
        "db1: restore: no such table; photos/feature-x is as it was before",
    )
    assert account.stack(NAME).status == "UPDATE_ROLLBACK_COMPLETE"


def test_production_is_not_replaced_without_its_name(account: Account, folder: Path) -> None:
    machines = booting(account)
    Stage(folder / EXAMPLE.name).create(branch="master")
    machines.booted.clear()
    path = edit(folder, "{port: 80, from: anywhere}", "{port: 80, from: 10.0.0.0/8}")
    with pytest.raises(GreenroomError) as caught:
        Stage(path).update(branch="master", said=("--restore", "db=none"))
    assert caught.value.code == "E_PRODUCTION"
    assert re.fullmatch(
        r"photos/master is production, and this update replaces or removes \d resources? of it, "
        "no machine among them",
        caught.value.message,
    )
    assert caught.value.hint == (
        "type its name to do it: greenroom update --provider aws photos/master "
        "--restore db=none --confirm photos/master"
    )
    assert machines.booted == []
    assert (
        account.engine.change_sets == {}
        or account.stack("greenroom-photos-master").status == "CREATE_COMPLETE"
    )
    Stage(path).update(branch="master", confirm="photos/master")
    stack = account.stack("greenroom-photos-master")
    assert (stack.status, machines.booted) == ("UPDATE_COMPLETE", [])


def test_a_machine_with_kept_data_is_not_replaced_at_all(account: Account, folder: Path) -> None:
    machines = booting(account)
    Stage(folder / EXAMPLE.name).create(branch="master")
    machines.booted.clear()
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    with pytest.raises(GreenroomError) as caught:
        Stage(path).update(branch="master", confirm="photos/master")
    assert (caught.value.code, caught.value.message) == (
        "E_AWS_KEPT_DATA",
        "this update of photos/master would replace db1, whose data volume is kept and cannot be "
        "attached to two machines at once",
    )
    assert machines.booted == []
    assert account.stack("greenroom-photos-master").status == "CREATE_COMPLETE"
    assert account.log.counts()["cloudformation:DeleteChangeSet"] == 1


def test_no_machine_goes_into_an_auto_scaling_group_while_it_runs(
    account: Account, machines: Machines, folder: Path
) -> None:
    machine = "  backend:\n    image: web\n"
    path = edit(folder, machine, f"{machine}    aws: {{auto_scaling: true}}\n")
    with pytest.raises(GreenroomError) as caught:
        Stage(path).update()
    assert (caught.value.code, caught.value.message) == (
        "E_AWS_SCALING",
        "this update of photos/feature-x would put backend1, backend2 into an Auto Scaling group "
        "or take it out, and the names of a machine cannot change hands while it runs",
    )
    assert machines.booted == []
    assert account.stack(NAME).status == "CREATE_COMPLETE"


def test_what_is_not_there_cannot_be_updated(account: Account) -> None:
    with pytest.raises(GreenroomError) as caught:
        Stage(EXAMPLE).update()
    assert (caught.value.code, caught.value.message) == (
        "E_NO_ENVIRONMENT",
        "there is no environment 'feature_x' of photos in eu-west-1",
    )


def test_ctrl_c_takes_an_update_back(account: Account, machines: Machines, folder: Path) -> None:
    before = account.stack(NAME).resources["db1"].physical_id
    machines.silent.add("db1")
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    stage = Stage(path)
    calm = stage.person.wait

    def wait(seconds: float) -> None:
        # Not before db1 boots anew: what is cancelled must be an update that is on its way.
        stage.person.presses = len(machines.booted)
        calm(seconds)

    stage.person.wait = wait  # type: ignore[method-assign]
    with pytest.raises(CancelledError) as caught:
        stage.update()
    assert (caught.value.code, caught.value.message) == (
        "E_CANCELLED",
        "update of photos/feature-x was cancelled; photos/feature-x is as it was before",
    )
    stack = account.stack(NAME)
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.resources["db1"].physical_id == before
    assert account.log.counts()["cloudformation:CancelUpdateStack"] == 1
    assert sorted(names_running(account)) == ["backend1", "backend2", "db1", "feed1"]
    machines.silent.clear()
    assert Stage(path).update().booted.found.status == "UPDATE_COMPLETE"


def test_ctrl_c_too_late_leaves_the_update_done(
    account: Account, machines: Machines, folder: Path
) -> None:
    account.faults.slow_resource("db1", 2.0, on="delete")
    stage = Stage(edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}"))
    calm = stage.person.wait

    def wait(seconds: float) -> None:
        if account.stack(NAME).status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
            stage.person.presses = 1
        calm(seconds)

    stage.person.wait = wait  # type: ignore[method-assign]
    with pytest.raises(CancelledError) as caught:
        stage.update()
    assert caught.value.message == ("update of photos/feature-x was cancelled too late: it is done")
    assert account.stack(NAME).status == "UPDATE_COMPLETE"
    assert account.log.counts()["cloudformation:CancelUpdateStack"] == 1


@pytest.mark.parametrize("late", [True, False])
def test_ctrl_c_while_nobody_knows_whether_the_update_began_ends_it(
    account: Account, machines: Machines, folder: Path, late: bool
) -> None:
    """Nor is the end of an earlier operation taken for the end of this one."""
    machines.silent.add("db1")
    stage = Stage(edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}"))
    account.faults.cut("cloudformation:ExecuteChangeSet", times=3, late=late)
    stage.press_at_notice("cloudformation:ExecuteChangeSet")
    press = stage.on_event

    def on_event(event: Event) -> None:
        press(event)
        if stage.person.presses == 1 and not stage.person.left:
            account.faults.cut("cloudformation:DescribeStackEvents", times=3, late=False)

    stage.on_event = on_event
    with pytest.raises(CancelledError) as caught:
        stage.update()
    ending = "; photos/feature-x is as it was before" if late else " before it began"
    assert caught.value.message == f"update of photos/feature-x was cancelled{ending}"
    status = "UPDATE_ROLLBACK_COMPLETE" if late else "CREATE_COMPLETE"
    assert account.stack(NAME).status == status
    assert account.log.counts()["cloudformation:DeleteChangeSet"] == int(not late)


def test_an_update_that_cannot_be_followed_leaves_no_change_set(
    account: Account, machines: Machines, folder: Path
) -> None:
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    account.faults.deny("cloudformation:DescribeStackEvents")
    with pytest.raises(RefusedError) as caught:
        Stage(path).update()
    assert caught.value.code == "E_AWS_DENIED"
    assert account.log.counts()["cloudformation:DeleteChangeSet"] == 1
    assert account.stack(NAME).status == "CREATE_COMPLETE"


def test_a_refusal_is_told_also_where_its_change_set_cannot_be_taken_back(
    account: Account, folder: Path
) -> None:
    booting(account)
    Stage(folder / EXAMPLE.name).create(branch="master")
    path = edit(folder, "{tcp: 3306, deadline_s: 60}", "{tcp: 3306, deadline_s: 61}")
    account.faults.deny("cloudformation:DeleteChangeSet")
    stage = Stage(path)
    with pytest.raises(GreenroomError) as caught:
        stage.update(branch="master", confirm="photos/master")
    assert caught.value.code == "E_AWS_KEPT_DATA"
    assert stage.told("notice")[-1].startswith("the change set stays: AWS denies")


def names_running(account: Account) -> list[str]:
    """The machines whose instances run."""
    return [
        tag["Value"]
        for reservation in account.client("ec2").describe_instances()["Reservations"]
        for instance in reservation["Instances"]
        for tag in instance["Tags"]
        if tag["Key"] == "greenroom:machine" and instance["State"]["Name"] == "running"
    ]


def test_a_role_that_is_not_there_is_what_was_refused(account: Account, folder: Path) -> None:
    role = "arn:aws:iam::123456789012:role/nobody"
    with pytest.raises(GreenroomError) as caught:
        Stage(folder / EXAMPLE.name).create(role=role)
    assert (caught.value.code, caught.value.message) == (
        "E_AWS_ROLE",
        f"CloudFormation cannot take the service role {role}: it is not there, or does not trust "
        "CloudFormation",
    )


def test_a_plan_refuses_what_costs_too_much(account: Account, folder: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        Stage(folder / EXAMPLE.name).plan(max_usd_per_day=Decimal("0.01"))
    assert caught.value.code == "E_COST_LIMIT"
    assert account.engine.change_sets == {}
