"""What can go wrong with a create on AWS: each case with its exact message, and what is left."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.model.events import Event
from greenroom.providers.aws.errors import CREDENTIALS_HINT, POLICY_HINT
from tests.cloud.fake.account import REGION, Account
from tests.cloud.fake.faults import USER_ARN
from tests.cloud.machines import booting
from tests.cloud.stacks import begin, group, template
from tests.cloud.stage import EXAMPLE, Stage

NAME = "greenroom-photos-feature-x"
SHOW = "greenroom show --provider aws photos/feature-x"


def blueprint_with(folder: Path, old: str, new: str) -> Path:
    """The example with a text replaced."""
    text = EXAMPLE.read_text()
    assert old in text
    shutil.copytree(EXAMPLE.parent / "images", folder / "images")
    for bucket in ("artifacts", "data"):
        (folder / bucket).mkdir()
    path = folder / EXAMPLE.name
    path.write_text(text.replace(old, new))
    return path


def refusal(path: Path = EXAMPLE, **given: object) -> GreenroomError:
    with pytest.raises(GreenroomError) as caught:
        Stage(path).create(**given)
    return caught.value


def statuses(account: Account) -> list[str]:
    return [stack.status for stack in account.engine.stacks.values()]


def test_no_credentials(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    error = refusal()
    assert (error.code, error.message, error.hint) == (
        "E_AWS_CREDENTIALS",
        "there are no AWS credentials to ask for cloudformation:DescribeStacks with "
        "(Unable to locate credentials)",
        CREDENTIALS_HINT,
    )


def test_an_expired_token(account: Account) -> None:
    account.faults.expire_token()
    error = refusal()
    assert (error.code, error.message) == (
        "E_AWS_EXPIRED",
        "the AWS credentials have expired: The security token included in the request is expired",
    )


@pytest.mark.parametrize(
    "action",
    [
        "cloudformation:DescribeStacks",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ssm:GetParameters",
        "s3:PutObject",
        "cloudformation:CreateChangeSet",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
    ],
)
def test_a_missing_right_is_named_with_its_resource(account: Account, action: str) -> None:
    account.faults.deny(action, resource="arn:aws:some:thing")
    error = refusal()
    assert (error.code, error.message, error.hint) == (
        "E_AWS_DENIED",
        f"AWS denies {action} on arn:aws:some:thing to {USER_ARN}",
        f"allow {action} on arn:aws:some:thing; {POLICY_HINT}",
    )
    assert set(statuses(account)) <= {"DELETE_COMPLETE"}


@pytest.mark.parametrize(
    ("vpc", "message", "hint"),
    [
        (
            "nowhere",
            f"there is no VPC 'nowhere' in {REGION}",
            "aws ec2 describe-vpcs lists what there is; is the region right?",
        ),
        (
            "vpc-0123456789abcdef0",
            f"there is no VPC 'vpc-0123456789abcdef0' in {REGION}",
            "aws ec2 describe-vpcs lists what there is; is the region right?",
        ),
    ],
)
def test_a_vpc_that_is_not_there(
    account: Account, tmp_path: Path, vpc: str, message: str, hint: str
) -> None:
    error = refusal(blueprint_with(tmp_path, "vpc: staging", f"vpc: {vpc}"))
    assert (error.code, error.message, error.hint) == ("E_AWS_VPC", message, hint)


def named_vpc(account: Account, name: str) -> str:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": name}])
    return str(vpc)


def test_a_vpc_without_subnets(account: Account, tmp_path: Path) -> None:
    vpc = named_vpc(account, "bare")
    error = refusal(blueprint_with(tmp_path, "vpc: staging", "vpc: bare"))
    assert (error.code, error.message) == (
        "E_AWS_SUBNET",
        f"the VPC 'bare' ({vpc}) in {REGION} has no subnets",
    )


def test_two_vpcs_of_one_name(account: Account, tmp_path: Path) -> None:
    ids = sorted((named_vpc(account, "twin"), named_vpc(account, "twin")))
    error = refusal(blueprint_with(tmp_path, "vpc: staging", "vpc: twin"))
    assert error.message == f"2 VPCs in {REGION} are named 'twin': {', '.join(ids)}"
    assert error.hint == "name one by its id in the blueprint: aws.vpc"


def test_a_subnet_that_is_not_there(account: Account, tmp_path: Path) -> None:
    error = refusal(
        blueprint_with(tmp_path, "vpc: staging", "vpc: staging\n  subnets: [private-z]")
    )
    assert error.code == "E_AWS_SUBNET"
    assert error.message.endswith("has no subnet 'private-z'")


def test_an_unknown_ami_parameter(account: Account, tmp_path: Path) -> None:
    path = blueprint_with(
        tmp_path,
        "    packages: [mariadb-server]",
        "    ami: /ours/db\n    packages: [mariadb-server]",
    )
    error = refusal(path)
    assert (error.code, error.message) == (
        "E_AWS_AMI_PARAMETER",
        f"there is no SSM parameter /ours/db in {REGION}, so the AMI is not known",
    )
    assert statuses(account) == []


def test_a_bucket_that_is_not_there(account: Account, tmp_path: Path) -> None:
    error = refusal(blueprint_with(tmp_path, "bucket: photos-greenroom", "bucket: nobodys"))
    assert (error.code, error.message) == ("E_AWS_BUCKET", "there is no S3 bucket nobodys")


def test_a_stack_that_is_not_ours_is_not_touched(account: Account) -> None:
    begin(account, template({"g": group()}), name=NAME)
    stack = account.wait_for(NAME, "CREATE_COMPLETE")
    error = refusal()
    assert (error.code, error.message) == (
        "E_AWS_NOT_OURS",
        f"there is a CloudFormation stack {NAME} in {REGION} that greenroom did not make: "
        f"it has no tag greenroom:environment ({stack.stack_id})",
    )
    assert statuses(account) == ["CREATE_COMPLETE"]


def rolled_back(account: Account) -> None:
    """A create that failed while nobody was there any more: ROLLBACK_COMPLETE."""
    account.faults.fail_resource("dbRole", "no such policy", times=1)
    stage = Stage(EXAMPLE)

    def leave(event: Event) -> None:
        if event.phase == "rollback" and event.kind == "phase-started":
            raise GreenroomError("E_GONE", "the terminal was closed")

    stage.on_event = leave
    with pytest.raises(GreenroomError):
        stage.create()
    account.wait_for(NAME, "ROLLBACK_COMPLETE")


def test_the_remains_of_a_failed_create_are_removed_first(account: Account) -> None:
    rolled_back(account)
    booting(account)
    stage = Stage(EXAMPLE)
    booted = stage.create()
    assert booted.found.status == "CREATE_COMPLETE"
    assert any(
        told.startswith(f"removing what a failed create left: stack {NAME}")
        for told in stage.told("notice")
    )
    assert sorted(statuses(account)) == ["CREATE_COMPLETE", "DELETE_COMPLETE"]


def test_a_stack_that_could_not_be_deleted_is_not_built_upon(account: Account) -> None:
    booting(account)
    Stage(EXAMPLE).create()
    account.faults.fail_resource("baseGroup", "it has a dependent object", on="delete")
    account.client("cloudformation").delete_stack(StackName=NAME)
    account.wait_for(NAME, "DELETE_FAILED")
    error = refusal()
    assert error.code == "E_AWS_STACK_FAILED"
    assert error.message.startswith(
        f"photos/feature-x is there, and broken: its stack {NAME} is DELETE_FAILED"
    )
    assert error.hint == (
        f"{SHOW} tells what is left of it, "
        "greenroom destroy --provider aws photos/feature-x removes it"
    )


def test_throttling_is_waited_out(account: Account) -> None:
    booting(account)
    stage = Stage(EXAMPLE)
    account.faults.throttle("cloudformation:DescribeStacks", times=4)
    assert stage.create().found.status == "CREATE_COMPLETE"
    notices = [told for told in stage.told("notice") if "throttles" in told]
    assert len(notices) == 1, "after three attempts of boto3's own"
    assert notices[0].startswith("AWS throttles cloudformation:DescribeStacks; asking again in ")


def until_booting(stage: Stage, act: Callable[[], None]) -> None:
    """Do something once the first machine is being waited for."""
    acted = threading.Event()

    def on_event(event: Event) -> None:
        if (event.phase, event.kind) == ("boot", "phase-started") and not acted.is_set():
            acted.set()
            act()

    stage.on_event = on_event


def test_a_connection_lost_in_the_middle_leaves_it_to_cloudformation(account: Account) -> None:
    machines = booting(account, silent={"db1", "backend1", "feed1"})
    stage = Stage(EXAMPLE)
    until_booting(stage, lambda: account.faults.go_away() and None)
    with pytest.raises(GreenroomError) as caught:
        stage.create()
    stack = account.stack(NAME)
    error = caught.value
    assert error.code == "E_AWS_CONNECTION_LOST"
    assert error.message.endswith(
        f"; CloudFormation goes on with photos/feature-x without us ({stack.stack_id})"
    )
    assert error.hint.endswith(f"then {SHOW} tells where it stands")
    assert any("CloudFormation goes on meanwhile" in told for told in stage.told("notice"))
    account.faults.clear()
    machines.silent.clear()
    for machine in list(machines.booted):
        machines.signal(machine)
    account.wait_for(NAME, "CREATE_COMPLETE")
    found = Stage(EXAMPLE).ports.account.stack(stack.stack_id)
    assert found is not None
    assert found.status == "CREATE_COMPLETE"
    assert found.identity is not None
    assert str(found.identity.environment) == "photos/feature-x"


def test_a_connection_that_comes_back_is_only_a_notice(account: Account) -> None:
    booting(account, delay_s=1.0)
    stage = Stage(EXAMPLE)
    until_booting(
        stage, lambda: account.faults.cut("cloudformation:DescribeStackEvents", times=3) and None
    )
    assert stage.create().found.status == "CREATE_COMPLETE"
    assert any("CloudFormation goes on meanwhile" in told for told in stage.told("notice"))


def test_a_lost_answer_to_the_change_set_makes_no_second_one(account: Account) -> None:
    booting(account)
    account.faults.cut("cloudformation:CreateChangeSet", late=True)
    account.faults.cut("cloudformation:ExecuteChangeSet", late=True)
    assert Stage(EXAMPLE).create().found.status == "CREATE_COMPLETE"


def test_a_session_that_expires_in_the_middle_says_how_to_go_on(account: Account) -> None:
    booting(account, silent={"db1"})
    stage = Stage(EXAMPLE)
    until_booting(stage, lambda: account.faults.expire_token() and None)
    with pytest.raises(GreenroomError) as caught:
        stage.create()
    assert caught.value.code == "E_AWS_EXPIRED"
    assert "CloudFormation goes on with photos/feature-x without us" in caught.value.message
    assert caught.value.hint == (
        "sign in again: aws sso login, or whatever gave you the session's keys; "
        f"then {SHOW} tells where it stands"
    )


def test_of_two_creates_of_one_branch_one_wins(account: Account) -> None:
    booting(account)
    together = threading.Barrier(2, timeout=60)
    results: list[object] = []

    def run() -> None:
        stage = Stage(EXAMPLE)

        def on_event(event: Event) -> None:
            if (event.phase, event.kind) == ("changes", "phase-started"):
                together.wait()

        stage.on_event = on_event
        try:
            results.append(stage.create().found.status)
        except GreenroomError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    [lost] = [each for each in results if isinstance(each, GreenroomError)]
    assert [each for each in results if each is not lost] == ["CREATE_COMPLETE"]
    assert lost.code == "E_AWS_BUSY"
    assert lost.message.startswith("photos/feature-x is busy: ")
    assert statuses(account) == ["CREATE_COMPLETE"]


def test_a_stack_that_is_not_seen_at_first_is_followed_all_the_same(account: Account) -> None:
    booting(account)
    account.faults.hide_new_stacks(3)
    assert Stage(EXAMPLE).create().found.status == "CREATE_COMPLETE"


def test_a_right_that_a_resource_lacks_is_told(account: Account) -> None:
    account.faults.fail_resource(
        "dbRole",
        f"User: {USER_ARN} is not authorized to perform: iam:CreateRole on resource: "
        "arn:aws:iam::123456789012:role/x because no identity-based policy allows it",
    )
    error = refusal()
    assert (error.code, error.message) == (
        "E_AWS_DENIED",
        "AWS denies iam:CreateRole on arn:aws:iam::123456789012:role/x, "
        "which dbRole (AWS::IAM::Role) needs; nothing of it is left",
    )
