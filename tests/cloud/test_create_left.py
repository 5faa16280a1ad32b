"""Creates that were interrupted, overtaken, or could not be taken back: what is left is known as
ours, is said beside the first reason, and goes by the step that the message names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from greenroom.app.clock import SystemClock
from greenroom.app.cloud.look import list_environments
from greenroom.app.cloud.remove import DestroyAsk, Destroyer, destroy, wanted_stack
from greenroom.app.cloud.telling import Telling
from greenroom.errors import CancelledError, GreenroomError, InputError, RefusedError
from greenroom.model.events import Event
from greenroom.providers.aws.stacks import CHANGE_SET_NAME
from tests.cloud.fake.account import REGION, Account
from tests.cloud.fake.faults import USER_ARN
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE, Stage
from tests.cloud.standing import group_body, looking

NAME = "greenroom-photos-feature-x"
ENVIRONMENT = "photos/feature-x"
SHOW = f"greenroom show --provider aws {ENVIRONMENT}"


class KilledError(BaseException):
    """Nothing of ours runs after it, as after SIGKILL."""


def live(account: Account) -> list[str]:
    return [s.status for s in account.engine.stacks.values() if s.status != "DELETE_COMPLETE"]


def killed_before_its_change_set_was_executed(account: Account) -> None:
    stage = Stage(EXAMPLE)

    def on_event(event: Event) -> None:
        if (event.phase, event.kind) == ("changes", "phase-done"):
            raise KilledError

    stage.on_event = on_event
    with pytest.raises(KilledError):
        stage.create()
    assert live(account) == ["REVIEW_IN_PROGRESS"]


def remove(account: Account, environment: str = ENVIRONMENT) -> None:
    """As the hint says."""
    inventory, clock = looking(account), SystemClock()
    destroyer = Destroyer(
        inventory=inventory,
        telling=Telling(lambda _: None, clock),
        pause=account.clock.advance,
        clock_s=account.clock.now_s,
    )
    ask = DestroyAsk(environment=environment, here=None)
    receipt, error = destroy(destroyer, wanted_stack(inventory, ask), ask)
    assert (receipt.remains, error) == ((), None)


def test_what_a_killed_create_left_is_listed_and_known_as_ours(account: Account) -> None:
    killed_before_its_change_set_was_executed(account)
    [listed] = list_environments(looking(account), datetime.now(UTC))
    assert (listed.name, listed.branch, listed.status.value) == (
        ENVIRONMENT,
        "feature_x",
        "planned",
    )
    with pytest.raises(RefusedError) as caught:
        Stage(EXAMPLE).create()
    error = caught.value
    assert (error.code, error.message) == (
        "E_AWS_BUSY",
        f"{ENVIRONMENT} is busy: somebody else creates or updates it at this moment",
    )
    first, second = error.hint.splitlines()
    assert first == f"{SHOW} tells where it stands"
    assert second.startswith("its change set is ")
    assert second.endswith(
        " s old; if whoever made it was interrupted: "
        f"greenroom destroy --provider aws {ENVIRONMENT}"
    )
    remove(account)
    assert live(account) == []
    booting(account)
    assert Stage(EXAMPLE).create().found.status == "CREATE_COMPLETE"


def test_a_change_set_that_nobody_executed_for_long_is_replaced(account: Account) -> None:
    killed_before_its_change_set_was_executed(account)
    for one in account.engine.change_sets.values():
        one.created_at = datetime(2026, 1, 1, tzinfo=UTC)
    booting(account)
    assert Stage(EXAMPLE).create().found.status == "CREATE_COMPLETE"


def test_an_empty_stack_that_waits_for_somebody_elses_change_set_is_left_alone(
    account: Account,
) -> None:
    account.client("cloudformation").create_change_set(
        StackName=NAME,
        ChangeSetName="theirs",
        ChangeSetType="CREATE",
        TemplateBody=group_body(),
    )
    with pytest.raises(RefusedError) as caught:
        Stage(EXAMPLE).create()
    assert caught.value.code == "E_AWS_NOT_OURS"
    assert caught.value.hint.endswith(
        f"aws cloudformation delete-stack --region {REGION} --stack-name {NAME}"
    )
    assert live(account) == ["REVIEW_IN_PROGRESS"]


def test_a_plan_that_cannot_read_its_change_set_leaves_nothing(account: Account) -> None:
    account.faults.deny("cloudformation:DescribeChangeSet")
    with pytest.raises(RefusedError):
        Stage(EXAMPLE).plan()
    [shell] = account.engine.stacks
    account.wait_for(shell, "DELETE_COMPLETE")


def test_a_create_that_is_overtaken_whole_says_so_at_once(account: Account) -> None:
    booting(account)
    stage = Stage(EXAMPLE)
    overtaken: list[str] = []

    def on_event(event: Event) -> None:
        if (event.phase, event.kind) == ("changes", "phase-started") and not overtaken:
            overtaken.append(Stage(EXAMPLE).create().found.status)

    stage.on_event = on_event
    with pytest.raises(RefusedError) as caught:
        stage.create()
    assert overtaken == ["CREATE_COMPLETE"]
    assert (caught.value.code, caught.value.hint) == (
        "E_AWS_BUSY",
        f"{SHOW} tells where it stands",
    )
    assert account.log.counts()["cloudformation:CreateChangeSet"] == 2


@pytest.mark.parametrize("late", [True, False])
def test_a_connection_that_breaks_for_a_while_changes_nothing(account: Account, late: bool) -> None:
    """Three cuts are more than boto3's own attempts."""
    booting(account)
    for action in ("DescribeChangeSet", "ExecuteChangeSet", "UpdateTerminationProtection"):
        account.faults.cut(f"cloudformation:{action}", times=3, late=late)
    stage = Stage(EXAMPLE)
    booted = stage.create(branch="master")
    assert (booted.found.status, booted.found.protected) == ("CREATE_COMPLETE", True)
    assert any("goes on meanwhile" in told for told in stage.told("notice"))
    assert live(account) == ["CREATE_COMPLETE"]


@pytest.mark.parametrize("late", [True, False])
def test_ctrl_c_while_nobody_knows_whether_it_began_leaves_nothing(
    account: Account, late: bool
) -> None:
    booting(account)
    account.faults.cut("cloudformation:ExecuteChangeSet", times=3, late=late)
    stage = Stage(EXAMPLE)
    stage.press_at_notice("cloudformation:ExecuteChangeSet")
    with pytest.raises(CancelledError) as caught:
        stage.create()
    assert (caught.value.code, caught.value.message) == (
        "E_CANCELLED",
        f"create of {ENVIRONMENT} was cancelled; nothing of it is left",
    )
    assert live(account) == []


@pytest.mark.parametrize("late", [True, False])
def test_what_failed_is_told_and_removed_through_a_broken_connection(
    account: Account, late: bool
) -> None:
    booting(account, broken={"db1": "restore: the dump is truncated"})
    account.faults.cut("cloudformation:DeleteStack", times=3, late=late)
    with pytest.raises(GreenroomError) as caught:
        Stage(EXAMPLE).create()
    assert (caught.value.code, caught.value.message) == (
        "E_MACHINE_FAILED",
        "db1: restore: the dump is truncated; nothing of it is left",
    )
    assert live(account) == []


def denied_delete(account: Account) -> str:
    account.faults.deny("cloudformation:DeleteStack", resource="arn:aws:some:thing")
    return (
        "it could not be deleted: AWS denies cloudformation:DeleteStack on arn:aws:some:thing "
        f"to {USER_ARN} (greenroom destroy --provider aws {ENVIRONMENT} tries again)"
    )


def test_the_first_reason_is_told_also_where_the_delete_is_denied(account: Account) -> None:
    booting(account, broken={"db1": "restore: the dump is truncated"})
    left = denied_delete(account)
    with pytest.raises(GreenroomError) as caught:
        Stage(EXAMPLE).create()
    assert (caught.value.code, caught.value.message) == (
        "E_MACHINE_FAILED",
        f"db1: restore: the dump is truncated; {left}",
    )
    account.faults.clear()
    remove(account)
    assert live(account) == []


def test_a_cancelled_create_whose_delete_is_denied_says_that_it_goes_on(account: Account) -> None:
    booting(account, silent={"db1"})
    left = denied_delete(account)
    stage = Stage(EXAMPLE)
    stage.press_while_booting("db1")
    with pytest.raises(CancelledError) as caught:
        stage.create()
    assert caught.value.message == f"create of {ENVIRONMENT} was cancelled; {left}"


def test_production_that_could_not_be_protected_stands_and_is_told(account: Account) -> None:
    booting(account)
    account.faults.deny("cloudformation:UpdateTerminationProtection")
    with pytest.raises(RefusedError) as caught:
        Stage(EXAMPLE).create(branch="master")
    assert caught.value.code == "E_AWS_DENIED"
    assert caught.value.message.endswith(
        "; photos/master stands, but nothing protects it from deletion"
    )
    assert caught.value.hint.endswith(
        f"aws cloudformation update-termination-protection --region {REGION} "
        "--stack-name greenroom-photos-master --enable-termination-protection"
    )
    assert live(account) == ["CREATE_COMPLETE"]


def test_a_plan_tells_nobody_where_a_machine_signals(account: Account) -> None:
    machines = booting(account)
    Stage(EXAMPLE).create(machines=("backend=2", "db", "feed"))
    planned = Stage(EXAMPLE).plan(machines=("backend", "db", "feed"))
    gone = {change.type: change for change in planned.changes or () if change.kind == "remove"}
    assert gone["AWS::CloudFormation::WaitConditionHandle"].physical_id == ""
    assert gone["AWS::EC2::Instance"].physical_id.startswith("i-")
    assert machines.urls["backend2"] not in repr(planned)


def test_the_stale_change_set_of_what_stands_goes_without_it(account: Account) -> None:
    """The hint must not name destroy where something stands."""
    booting(account)
    Stage(EXAMPLE).create()
    account.client("cloudformation").create_change_set(
        StackName=NAME,
        ChangeSetName=CHANGE_SET_NAME,
        TemplateBody=group_body(),
    )
    with pytest.raises(RefusedError) as caught:
        Stage(EXAMPLE).update()
    assert caught.value.hint.endswith(
        f": aws cloudformation delete-change-set --region {REGION} --stack-name {NAME} "
        f"--change-set-name {CHANGE_SET_NAME}"
    )
    with pytest.raises(InputError):
        Stage(EXAMPLE).create()
