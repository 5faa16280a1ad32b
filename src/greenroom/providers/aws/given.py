"""What an environment takes from the account as it is: buckets and their objects, AMIs, snapshots,
and the VPC's answers to names. Looked at, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenroom.errors import InputError
from greenroom.providers.aws.bucket import no_bucket
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.session import Account

DNS_ATTRIBUTES = ("enableDnsSupport", "enableDnsHostnames")
"""Both are needed before a VPC asks a private hosted zone (Route53 developer guide, "Considerations
when working with a private hosted zone")."""

_NO_AMI = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")
_NO_SNAPSHOT = ("InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed")


def require_bucket(account: Account, bucket: str, setting: str) -> None:
    """Refuse a bucket that is not there, or in another region; see the port.

    boto3 follows a bucket to its region by itself, machines do not: hence the region is compared.
    """
    try:
        reply = account.call("s3", "HeadBucket", about=f"arn:aws:s3:::{bucket}", Bucket=bucket)
    except AnswerError as error:
        if error.aws_code in ("404", "NoSuchBucket"):
            raise no_bucket(bucket, account.region, setting) from error
        raise
    headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = reply.get("BucketRegion") or headers.get("x-amz-bucket-region") or account.region
    if region != account.region:
        raise InputError(
            "E_AWS_BUCKET",
            f"the S3 bucket {bucket} is in {region}, and machines in {account.region} ask for it "
            "there",
            hint=f"make one in {account.region} and name it ({setting}), or boot in {region} "
            f"(--region {region})",
        )


def has_object(account: Account, bucket: str, key: str) -> bool:
    """Whether the object is there; see the port. A HEAD's reasons are numbers: it has no body."""
    about = f"arn:aws:s3:::{bucket}/{key}"
    try:
        account.call("s3", "HeadObject", about=about, Bucket=bucket, Key=key)
    except AnswerError as error:
        if error.aws_code in ("404", "NoSuchKey"):
            return False
        raise
    return True


def root_device(account: Account, ami: str) -> str:
    """The name of an AMI's root device; see the port."""
    image = _ami(account, ami)
    state = image.get("State", "available")
    if state != "available":
        raise InputError(
            "E_AWS_AMI",
            f"the AMI {ami} in {account.region} is {state}, not available",
            hint="wait for it, or name another one in the blueprint: images.NAME.ami",
        )
    return str(image.get("RootDeviceName", ""))


def require_snapshot(account: Account, snapshot: str) -> None:
    """Refuse a snapshot that is not there or not whole; see the port."""
    found = _snapshot(account, snapshot)
    if found is None:
        raise InputError(
            "E_AWS_SNAPSHOT",
            f"there is no snapshot {snapshot} in {account.region} that this account may use",
            hint="name one of this region in the blueprint (machines.NAME.aws.snapshots), or copy "
            "it here: aws ec2 copy-snapshot",
        )
    if found.get("State") != "completed":
        raise InputError(
            "E_AWS_SNAPSHOT",
            f"the snapshot {snapshot} in {account.region} is {found.get('State')} "
            f"({found.get('Progress') or 'no progress told'}), not completed",
            hint=f"wait for it: aws ec2 wait snapshot-completed --region {account.region} "
            f"--snapshot-ids {snapshot}",
        )


def require_dns(account: Account, vpc: str) -> None:
    """Refuse a VPC whose machines would not be answered from a private zone; see the port."""
    off = [name for name in DNS_ATTRIBUTES if not _is_on(account, vpc, name)]
    if not off:
        return
    command = f"aws ec2 modify-vpc-attribute --region {account.region} --vpc-id {vpc}"
    options = {
        "enableDnsSupport": "enable-dns-support",
        "enableDnsHostnames": "enable-dns-hostnames",
    }
    raise InputError(
        "E_AWS_VPC",
        f"machines in {vpc} would not find each other by name: {' and '.join(off)} of the VPC "
        f"{'is' if len(off) == 1 else 'are'} off",
        hint=" && ".join(f"{command} --{options[name]}" for name in off),
    )


def _ami(account: Account, ami: str) -> Mapping[str, Any]:
    try:
        images = account.call("ec2", "DescribeImages", about=ami, ImageIds=[ami])["Images"]
    except AnswerError as error:
        if error.aws_code not in _NO_AMI:
            raise
        images = []
    if not images:
        raise InputError(
            "E_AWS_AMI",
            f"there is no AMI {ami} in {account.region} that this account may use",
            hint="name one of this region in the blueprint (images.NAME.ami), or copy it here: "
            "aws ec2 copy-image",
        )
    image: Mapping[str, Any] = images[0]
    return image


def _snapshot(account: Account, snapshot: str) -> Mapping[str, Any] | None:
    try:
        reply = account.call("ec2", "DescribeSnapshots", about=snapshot, SnapshotIds=[snapshot])
    except AnswerError as error:
        if error.aws_code in _NO_SNAPSHOT:
            return None
        raise
    return next(iter(reply["Snapshots"]), None)


def _is_on(account: Account, vpc: str, attribute: str) -> bool:
    reply = account.call(
        "ec2", "DescribeVpcAttribute", about=f"{attribute} of {vpc}", VpcId=vpc, Attribute=attribute
    )
    return bool(reply[attribute[0].upper() + attribute[1:]]["Value"])
