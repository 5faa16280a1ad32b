"""What is missing in the account is told before anything is made there, by plan and by create."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from tests.cloud.fake.account import REGION, Account
from tests.cloud.machines import booting
from tests.cloud.stage import EXAMPLE, Stage

CODE, EXTRACTS = "photos-code", "photos-extracts"
OWN_KEY, DEFAULT_KEY = "backend-feature_x.tar.gz", "backend-master.tar.gz"
PUSH = "greenroom artifact push backend PATH --branch feature_x --provider aws"


def remove(account: Account, bucket: str, *keys: str) -> None:
    for key in keys:
        account.client("s3").delete_object(Bucket=bucket, Key=key)


def edited(folder: Path, old: str, new: str) -> Path:
    copy = shutil.copytree(EXAMPLE.parent, folder / "photos")
    path = Path(copy, EXAMPLE.name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path


def refusal_of(account: Account, work: Callable[[], object]) -> GreenroomError:
    """What is refused, and that nothing was made or put anywhere."""
    account.log.clear()
    with pytest.raises(GreenroomError) as caught:
        work()
    changing = [n for n in account.log.counts() if ":Create" in n or ":Put" in n]
    assert changing == []
    return caught.value


@pytest.mark.parametrize("verb", ["plan", "create"])
def test_an_artifact_of_neither_branch(account: Account, verb: str) -> None:
    remove(account, CODE, OWN_KEY, DEFAULT_KEY)
    error = refusal_of(account, getattr(Stage(EXAMPLE), verb))
    assert (error.code, error.message, error.hint) == (
        "E_ARTIFACT_MISSING",
        f"backend: none of {OWN_KEY}, {DEFAULT_KEY} is in s3://{CODE}",
        f"push the folder that holds the code: {PUSH}",
    )


def test_the_default_branchs_artifact_is_pushed_without_a_branch(account: Account) -> None:
    remove(account, CODE, DEFAULT_KEY)
    error = refusal_of(account, lambda: Stage(EXAMPLE).plan(branch="master"))
    assert error.hint.endswith("greenroom artifact push backend PATH --provider aws")


def test_an_artifact_without_its_checksum(account: Account) -> None:
    remove(account, CODE, f"{OWN_KEY}.sha256")
    error = refusal_of(account, Stage(EXAMPLE).create)
    assert (error.code, error.message) == (
        "E_ARTIFACT_CHECKSUM",
        f"backend: {OWN_KEY} in s3://{CODE} has no checksum beside it ({OWN_KEY}.sha256)",
    )
    assert PUSH in error.hint


def test_the_default_branchs_artifact_is_told(account: Account) -> None:
    stage = Stage(EXAMPLE)
    stage.plan(branch="feature_y")
    assert stage.told("notice") == [
        f"backend: no artifact for branch feature_y in s3://{CODE}: using {DEFAULT_KEY}"
    ]


def test_a_manifest_that_is_not_there(account: Account) -> None:
    remove(account, EXTRACTS, "extract/manifest.json")
    error = refusal_of(account, Stage(EXAMPLE).create)
    assert (error.code, error.message) == (
        "E_EXTRACT_MISSING",
        f"db: the restore's manifest extract/manifest.json is not in s3://{EXTRACTS}",
    )
    assert error.hint == (
        f"put the extract there with its files: aws s3 sync FOLDER s3://{EXTRACTS}/extract; "
        "or boot without data: --restore db=none"
    )


@pytest.mark.parametrize(
    ("old", "setting"),
    [
        ("bucket: photos-greenroom", "aws.bucket"),
        ("extracts: photos-extracts", "aws.buckets.extracts"),
    ],
)
def test_a_bucket_that_is_not_there_fails_the_plan(
    account: Account, tmp_path: Path, old: str, setting: str
) -> None:
    blueprint = edited(tmp_path, old, f"{old.partition(':')[0]}: nobodys")
    error = refusal_of(account, Stage(blueprint).plan)
    assert (error.code, error.message) == ("E_AWS_BUCKET", "there is no S3 bucket nobodys")
    assert error.hint.endswith(f"or name another ({setting})")


def test_a_bucket_in_another_region(account: Account, tmp_path: Path) -> None:
    account.client("s3", "eu-central-1").create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    blueprint = edited(tmp_path, "code: photos-code", "code: far-away")
    error = refusal_of(account, Stage(blueprint).plan)
    assert (error.code, error.message) == (
        "E_AWS_BUCKET",
        f"the S3 bucket far-away is in eu-central-1, and machines in {REGION} ask for it there",
    )


def test_who_may_not_look_is_told_and_not_refused(account: Account) -> None:
    account.faults.deny("s3:HeadBucket")
    account.faults.deny("s3:HeadObject")
    stage = Stage(EXAMPLE)
    assert stage.plan().changes
    (notice,) = stage.told("notice")
    assert notice.startswith(
        "could not look for s3://photos-greenroom, s3://photos-code, s3://photos-extracts, the "
        "artifact of backend in s3://photos-code, s3://photos-extracts/extract/manifest.json: "
        "allow s3:ListBucket on arn:aws:s3:::photos-greenroom"
    )


def test_a_vpc_that_asks_no_private_zone(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    error = refusal_of(account, Stage(EXAMPLE).plan)
    assert (error.code, error.message, error.hint) == (
        "E_AWS_VPC",
        f"machines in {vpc} would not find each other by name: enableDnsHostnames of the VPC is "
        "off",
        f"aws ec2 modify-vpc-attribute --region {REGION} --vpc-id {vpc} --enable-dns-hostnames",
    )


def test_an_ami_that_is_not_there(account: Account, tmp_path: Path) -> None:
    old = "    packages: [mariadb-server]"
    blueprint = edited(tmp_path, old, f"    ami: ami-12345678\n{old}")
    error = refusal_of(account, Stage(blueprint).plan)
    assert (error.code, error.message) == (
        "E_AWS_AMI",
        f"there is no AMI ami-12345678 in {REGION} that this account may use",
    )


def test_an_ami_with_another_root_device_is_told(account: Account, tmp_path: Path) -> None:
    ec2 = account.client("ec2")
    ami = ec2.register_image(Name="ours", RootDeviceName="/dev/sda1")["ImageId"]
    old = "    packages: [mariadb-server]"
    stage = Stage(edited(tmp_path, old, f"    ami: {ami}\n{old}"))
    stage.plan()
    (notice,) = stage.told("notice")
    assert notice.startswith(f"the root device of {ami} is /dev/sda1, not /dev/xvda: it keeps")


def test_a_snapshot_that_is_not_there(account: Account, tmp_path: Path) -> None:
    old = "  db:\n    image: mariadb\n"
    new = f"{old}    aws: {{snapshots: {{extract: snap-0123456789abcdef0}}}}\n"
    error = refusal_of(account, Stage(edited(tmp_path, old, new)).plan)
    assert (error.code, error.message) == (
        "E_AWS_SNAPSHOT",
        f"there is no snapshot snap-0123456789abcdef0 in {REGION} that this account may use",
    )


def test_an_update_needs_only_what_machines_that_boot_anew_need(
    account: Account, tmp_path: Path
) -> None:
    booting(account)
    Stage(EXAMPLE).create()
    remove(account, EXTRACTS, "extract/manifest.json")
    remove(account, CODE, OWN_KEY, DEFAULT_KEY)
    assert Stage(EXAMPLE).update().changes == ()
    grown = edited(
        tmp_path,
        "image: web\n    instance_type: t3.small",
        "image: web\n    instance_type: t3.medium",
    )
    before = set(account.engine.change_sets)
    with pytest.raises(GreenroomError) as caught:
        Stage(grown).update()
    assert caught.value.code == "E_ARTIFACT_MISSING"
    assert set(account.engine.change_sets) == before
    assert account.stack("greenroom-photos-feature-x").status == "CREATE_COMPLETE"
