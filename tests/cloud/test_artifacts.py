"""Pushing artifacts to S3: real boto3 over HTTP, moto as the account."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from greenroom.app.artifacts import push_artifact
from greenroom.cli.group import cli
from greenroom.errors import GreenroomError, OperationError, RefusedError
from greenroom.providers.aws.artifacts import S3Artifacts
from greenroom.providers.aws.session import Access, Account

REGION = "eu-west-1"
BUCKET = "eyeem-web-backend"
KEY = "backend-feature_x.tar.gz"
EYEEM = Path(__file__).parents[2] / "examples" / "eyeem" / "greenroom.yaml"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The account's S3, with the bucket of the blueprint in it and nothing in that."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("GREENROOM_PROVIDER", raising=False)
    client = boto3.client("s3", region_name=REGION)
    if BUCKET not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    return client


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.php").write_text("<?php")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "dist"


def push(*words: str) -> Any:
    return CliRunner().invoke(
        cli, ["artifact", "push", *words, "--provider", "aws", "-f", str(EYEEM)]
    )


def body(s3: Any, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


def test_the_archive_and_its_checksum_lie_in_the_bucket_that_the_blueprint_names(
    s3: Any, code: Path
) -> None:
    ran = push("backend", "./dist", "--branch", "feature_x")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith(f"pushed {KEY} to s3://{BUCKET}/{KEY}: 1 file, ")
    assert "greenroom create --provider aws boots machines" in ran.stdout
    assert "greenroom deploy --provider aws ENV does" in ran.stdout
    sha256 = hashlib.sha256(body(s3, KEY)).hexdigest()
    assert body(s3, f"{KEY}.sha256") == f"{sha256}  {KEY}\n".encode()
    head = s3.head_object(Bucket=BUCKET, Key=KEY)
    assert head["ContentType"] == "application/gzip"
    assert head["Metadata"] == {"sha256": sha256}
    checksum = s3.head_object(Bucket=BUCKET, Key=f"{KEY}.sha256")
    assert checksum["ContentType"] == "text/plain; charset=utf-8"


def test_the_same_bytes_go_to_s3_and_to_the_local_bucket(
    s3: Any, code: Path, tmp_path: Path
) -> None:
    from greenroom.providers.local.artifacts import LocalArtifacts

    assert push("backend", "dist", "--branch", "feature_x").exit_code == 0
    push_artifact(code, KEY, LocalArtifacts(tmp_path / "bucket"))
    for key in (KEY, f"{KEY}.sha256"):
        assert (tmp_path / "bucket" / key).read_bytes() == body(s3, key)


def test_a_branch_of_any_name_gives_the_key_that_machines_ask_for(s3: Any, code: Path) -> None:
    assert push("backend", "dist", "--branch", "Feature/ü x").exit_code == 0
    assert body(s3, "backend-Feature/ü x.tar.gz")
    assert body(s3, "backend-Feature/ü x.tar.gz.sha256").endswith("  ü x.tar.gz\n".encode())


def account() -> Account:
    return Account(Access(region=REGION))


def answering(account: Account, operation: str, status: int, reply: str) -> Account:
    """The account, where ``operation`` on the checksum file is answered by ``reply``."""

    def answer(request: Any, **_: object) -> Any:
        from botocore.awsrequest import AWSResponse

        if not request.url.endswith(".sha256"):
            return None
        raw = type("Raw", (), {"stream": lambda self, *_, **__: iter([reply.encode()])})()
        return AWSResponse(request.url, status, {"Content-Type": "application/xml"}, raw)

    account.client("s3").meta.events.register(f"before-send.s3.{operation}", answer)
    return account


def test_s3_is_told_the_sha256_to_compare_the_archive_with(s3: Any, code: Path) -> None:
    """Moto does not compare; that the header is there is what can be seen of it here."""
    ours, sent = account(), {}
    ours.client("s3").meta.events.register(
        "before-send.s3.PutObject",
        lambda request, **_: sent.update({request.url.rpartition("/")[2]: request.headers}),
    )
    pushed = push_artifact(code, KEY, S3Artifacts(ours, BUCKET))
    wanted = base64.b64encode(bytes.fromhex(pushed.sha256))
    assert list(sent) == [KEY, f"{KEY}.sha256"]
    assert sent[KEY]["x-amz-checksum-sha256"] in (wanted, wanted.decode())


DENIED = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def test_a_checksum_that_cannot_be_written_is_told_with_what_that_means(
    s3: Any, code: Path
) -> None:
    store = S3Artifacts(answering(account(), "PutObject", 403, DENIED), BUCKET)
    with pytest.raises(OperationError) as raised:
        push_artifact(code, KEY, store)
    assert raised.value.code == "E_ARTIFACT_CHECKSUM"
    assert raised.value.message == (
        f"{KEY} is in s3://{BUCKET}, but not its checksum: "
        f"AWS denies s3:PutObject on arn:aws:s3:::{BUCKET}/{KEY}.sha256"
    )
    assert raised.value.hint.startswith("push it again: until then no machine deploys it; allow")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == [KEY], "the archive comes first"


def test_a_right_that_is_missing_is_named_with_its_resource(s3: Any, code: Path) -> None:
    denied = account()

    def answer(request: Any, **_: object) -> Any:
        from botocore.awsrequest import AWSResponse

        raw = type("Raw", (), {"stream": lambda self, *_, **__: iter([DENIED.encode()])})()
        return AWSResponse(request.url, 403, {}, raw)

    denied.client("s3").meta.events.register("before-send.s3.PutObject", answer)
    with pytest.raises(RefusedError) as raised:
        push_artifact(code, KEY, S3Artifacts(denied, BUCKET))
    assert raised.value.code == "E_AWS_DENIED"
    assert raised.value.message == f"AWS denies s3:PutObject on arn:aws:s3:::{BUCKET}/{KEY}"


def test_a_bucket_that_is_not_there_is_answered_with_how_to_make_it(s3: Any, code: Path) -> None:
    with pytest.raises(GreenroomError) as raised:
        push_artifact(code, KEY, S3Artifacts(account(), "nobody-has-this-bucket"))
    assert raised.value.code == "E_AWS_BUCKET"
    assert raised.value.message == "there is no S3 bucket nobody-has-this-bucket"
    assert raised.value.hint == (
        "make it: aws s3 mb s3://nobody-has-this-bucket --region eu-west-1; "
        "or name another in aws.buckets"
    )


def test_without_credentials_nothing_is_sent_and_the_ways_to_get_them_are_told(
    s3: Any, code: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    ran = push("backend", "dist")
    assert isinstance(ran.exception, GreenroomError)
    assert ran.exception.code == "E_AWS_CREDENTIALS"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_an_unknown_profile_is_refused_before_anything_is_packed(s3: Any, code: Path) -> None:
    ran = push("backend", "dist", "--profile", "nobody")
    assert isinstance(ran.exception, GreenroomError)
    assert ran.exception.code == "E_AWS_PROFILE"
