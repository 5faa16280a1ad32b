"""An S3 bucket that machines fetch their code from, as the one who pushes sees it."""

from __future__ import annotations

import base64
from pathlib import Path

from greenroom.errors import GreenroomError, InputError, OperationError
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.session import Account

OBJECT_BYTES_MAX = 5 * 1024**3
"""What one PutObject takes (S3 user guide, "Uploading objects")."""

ARCHIVE_TYPE = "application/gzip"
CHECKSUM_TYPE = "text/plain; charset=utf-8"


class S3Artifacts:
    """The port ArtifactStore on S3.

    An object is there whole or not at all, and S3 itself compares what it got with the sha256. The
    checksum file goes last: what lies between the two objects is one short request, while the other
    order would leave a new checksum beside the old archive for as long as the upload takes.
    """

    def __init__(self, account: Account, bucket: str) -> None:
        self._account = account
        self._bucket = bucket

    def put(self, key: str, archive: Path, sha256: str) -> str:
        """See ArtifactStore. The archive is held in memory while it is sent."""
        size_bytes = archive.stat().st_size
        if size_bytes > OBJECT_BYTES_MAX:
            raise InputError(
                "E_ARTIFACT",
                f"{key} has {size_bytes} bytes; S3 takes {OBJECT_BYTES_MAX} in one piece",
                hint="leave out what the machines can fetch elsewhere",
            )
        line = f"{sha256}  {key.rpartition('/')[2]}\n".encode()
        self._put(key, archive.read_bytes(), ARCHIVE_TYPE, sha256)
        try:
            self._put(f"{key}.sha256", line, CHECKSUM_TYPE, None)
        except GreenroomError as error:
            raise OperationError(
                "E_ARTIFACT_CHECKSUM",
                f"{key} is in s3://{self._bucket}, but not its checksum: {error.message}",
                hint=f"push it again: until then no machine deploys it; {error.hint}".rstrip("; "),
            ) from error
        return f"s3://{self._bucket}/{key}"

    def _put(self, key: str, content: bytes, content_type: str, sha256: str | None) -> None:
        checked = (
            {}
            if sha256 is None
            else {
                "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode(),
                "Metadata": {"sha256": sha256},
            }
        )
        try:
            self._account.call(
                "s3",
                "PutObject",
                about=f"arn:aws:s3:::{self._bucket}/{key}",
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                **checked,
            )
        except AnswerError as error:
            if error.aws_code != "NoSuchBucket":
                raise
            raise InputError(
                "E_AWS_BUCKET",
                f"there is no S3 bucket {self._bucket}",
                hint=f"make it: aws s3 mb s3://{self._bucket} --region {self._account.region}; "
                "or name another in aws.buckets",
            ) from error
