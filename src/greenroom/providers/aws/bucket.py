"""greenroom's own bucket: what machines and CloudFormation fetch, put there if it is missing.

Every key holds the hash of its content, so what is there already is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from greenroom.cloud_ports import Blob
from greenroom.errors import GreenroomError, InputError
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.session import Account

_TOGETHER = 8


def put_missing(account: Account, bucket: str, blobs: Sequence[Blob]) -> int:
    """Put what is missing; how many that were.

    Raises InputError E_AWS_BUCKET if the bucket is not there.
    """
    account.client("s3")  # Made once, not by each of the threads.
    with ThreadPoolExecutor(max_workers=_TOGETHER) as workers:
        return sum(workers.map(lambda blob: _put_if_missing(account, bucket, blob), blobs))


def _put_if_missing(account: Account, bucket: str, blob: Blob) -> bool:
    if _is_there(account, bucket, blob):
        return False
    try:
        account.call(
            "s3",
            "PutObject",
            about=f"arn:aws:s3:::{bucket}/{blob.key}",
            Bucket=bucket,
            Key=blob.key,
            Body=blob.content,
            ContentType=blob.content_type,
            ChecksumAlgorithm="SHA256",
        )
    except AnswerError as error:
        if error.aws_code == "NoSuchBucket":
            raise no_bucket(bucket, account.region) from error
        raise
    return True


def _is_there(account: Account, bucket: str, blob: Blob) -> bool:
    """A HEAD has no body, so S3's reasons are numbers. One who may not list the bucket gets 403
    for what is not there; whether writing is allowed, the writing shows."""
    about = f"arn:aws:s3:::{bucket}/{blob.key}"
    try:
        head = account.call("s3", "HeadObject", about=about, Bucket=bucket, Key=blob.key)
    except AnswerError:
        return False
    except GreenroomError as error:
        if error.code == "E_AWS_DENIED":
            return False
        raise
    return bool(head["ContentLength"] == len(blob.content))


def no_bucket(bucket: str, region: str, setting: str = "aws.bucket") -> InputError:
    """The bucket that the blueprint names in ``setting`` is not there."""
    return InputError(
        "E_AWS_BUCKET",
        f"there is no S3 bucket {bucket}",
        hint=f"make it: aws s3 mb s3://{bucket} --region {region}; or name another ({setting})",
    )
