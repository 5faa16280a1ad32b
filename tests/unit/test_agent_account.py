"""Requests to AWS signed as botocore signs them, with credentials from metadata."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.agent_aws import KEYS, REGION, ROLE, running_account
from tests.unit.agent_region import machine_paths, quiet_progress, tar_gz

from greenroom.agent import account as account_module
from greenroom.agent.account import Account, parse_credentials
from greenroom.agent.bucket import Bucket
from greenroom.agent.config import Deploy
from greenroom.agent.deploy import deploy
from greenroom.agent.errors import AgentError
from greenroom.agent.metadata import Metadata
from greenroom.agent.sigv4 import Credentials, signed_headers

NO_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def aws():
    with running_account() as running:
        yield running


@pytest.fixture
def account(aws):
    return Account(REGION, Metadata(aws.url))


KEY_PART = st.text(min_size=1, max_size=20).filter(
    lambda part: part not in (".", "..") and "/" not in part
)


def encodable(part: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in part)


@given(
    st.lists(KEY_PART.filter(encodable), min_size=1, max_size=4).map("/".join),
    st.sampled_from(
        [
            "https://s3.eu-west-1.amazonaws.com/photos-code",
            "https://s3.eu-west-1.amazonaws.com:443/photos-code",
            "http://169.254.169.252/s3/photos-code",
            "http://127.0.0.1:9000/photos-code",
        ]
    ),
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+", min_size=1),
    st.datetimes(),
)
def test_every_key_is_signed_as_botocore_signs_it(key, base, secret, at):
    url = Bucket(url=base).address(key)
    stamp = f"{at.year:04}{at:%m%dT%H%M%SZ}"
    headers = signed_headers(
        Credentials(access_key="ASIA1", secret_key=secret, token="t/+=", expires_at="2999"),
        method="GET",
        url=url,
        region="eu-west-1",
        service="s3",
        body=b"",
        at=stamp,
    )
    oracle = S3SigV4Auth(BotocoreCredentials("ASIA1", secret, "t/+="), "s3", "eu-west-1")
    request = AWSRequest("GET", url)
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Content-SHA256"] = NO_HASH
    request.headers["X-Amz-Date"] = stamp
    request.headers["X-Amz-Security-Token"] = "t/+="
    text = oracle.string_to_sign(request, oracle.canonical_request(request))
    wanted = oracle.signature(text, request)
    assert headers["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential=ASIA1/{stamp[:8]}/eu-west-1/s3/aws4_request, "
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "
        f"Signature={wanted}"
    )


def test_an_object_is_read_and_fetched_with_the_instance_profile(aws, account, tmp_path):
    digest = aws.put("code", "a b/ü.tar", b"content")
    bucket = Bucket(url=aws.bucket_url("code"), account=account)
    assert bucket.read("a b/ü.tar") == b"content"
    fetched = bucket.fetch("a b/ü.tar", str(tmp_path / "x"))
    assert (fetched.sha256, fetched.size) == (digest, 7)
    assert aws.credentials_asked == 1


def test_a_request_without_a_signature_is_refused_by_the_account(aws):
    aws.put("code", "x", b"1")
    with pytest.raises(AgentError, match="this machine may not read x in bucket 'code'"):
        Bucket(url=aws.bucket_url("code")).read("x")


def test_credentials_that_expire_soon_are_renewed_before_the_request(aws, account):
    aws.put("code", "x", b"1")
    soon = time.time() + account_module.EARLY_S - 10
    aws.keys["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon))
    bucket = Bucket(url=aws.bucket_url("code"), account=account)
    bucket.read("x")
    aws.keys["Expiration"] = KEYS["Expiration"]
    bucket.read("x")
    bucket.read("x")
    assert aws.credentials_asked == 2


def test_credentials_that_s3_calls_expired_are_asked_for_again(aws, account):
    aws.put("code", "x", b"1")
    bucket = Bucket(url=aws.bucket_url("code"), account=account)
    bucket.read("x")
    aws.spent.add(aws.keys["Token"])
    aws.keys["Token"] = "another/token=="
    assert bucket.read("x") == b"1"


def test_a_machine_without_an_instance_profile_says_so(aws, account, monkeypatch):
    monkeypatch.setattr(account_module, "PATIENCE_S", 0.0)
    aws.role = None
    with pytest.raises(AgentError) as error:
        account.credentials()
    assert str(error.value) == (
        "metadata has no credentials: this machine has no instance profile, "
        "or the profile has no role"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "are not an object"),
        ("[]", "are not an object"),
        ('{"Code": "Failed"}', "metadata has no credentials of the role r: Failed"),
        ('{"Code": "Success", "AccessKeyId": "A"}', "have no SecretAccessKey"),
        ('{"AccessKeyId": "A\\nhost: b", "SecretAccessKey": "s"}', "have no AccessKeyId"),
    ],
)
def test_credentials_that_are_none_are_refused(text, message):
    with pytest.raises(AgentError, match=message):
        parse_credentials(text, "r")


def test_secrets_do_not_show_in_a_log(account):
    shown = f"{account.credentials()!r} {account!r} {Bucket(url='http://h/b', account=account)!r}"
    assert KEYS["SecretAccessKey"] not in shown
    assert KEYS["Token"] not in shown


def test_another_problem_of_s3_is_told_with_its_code(aws, account):
    aws.put("code", "x", b"1")
    account.credentials()
    aws.keys["SecretAccessKey"] = "changed"
    with pytest.raises(AgentError) as error:
        Bucket(url=aws.bucket_url("code"), account=account).read("x")
    assert str(error.value) == (
        "cannot read x in bucket 'code': it answered 403 SignatureDoesNotMatch"
    )


KEYS_OF_CODE = ("backend-feature_x.tar.gz", "backend-master.tar.gz")
NOT_THERE = (
    "backend-feature_x.tar.gz in bucket 'code' is not there, or this machine may not read it "
    "(403): was it pushed, and does the machine's role allow s3:GetObject on it?"
)


def deployed(aws, account, tmp_path):
    paths = machine_paths(tmp_path, aws)
    progress = quiet_progress(paths)
    config = Deploy(
        bucket_url=aws.bucket_url("code"),
        keys=KEYS_OF_CODE,
        directory="/w",
        restart=(),
        keep={},
        mounted=False,
    )
    return deploy(config, "feature_x", paths, progress, account), progress.notices


@pytest.mark.parametrize(
    ("listing", "notice"),
    [
        (True, "no artifact for branch feature_x: using backend-master.tar.gz"),
        (
            False,
            "no artifact for branch feature_x that this machine may read (S3 answered 403): "
            "using backend-master.tar.gz",
        ),
    ],
)
def test_the_default_branchs_artifact_is_taken_whether_or_not_s3_tells_that_one_is_missing(
    aws, account, tmp_path, listing, notice
):
    aws.listing = listing
    aws.put("code", KEYS_OF_CODE[1], tar_gz({"index.html": "hello"}))
    found, notices = deployed(aws, account, tmp_path)
    assert found.fallback
    assert notices == [notice]
    assert Path(tmp_path, "w/current/index.html").read_text() == "hello"


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (
            True,
            "no artifact: neither backend-feature_x.tar.gz nor backend-master.tar.gz "
            "is in bucket 'code'",
        ),
        (False, f"no artifact: {NOT_THERE}"),
    ],
)
def test_nothing_to_deploy_is_told_as_s3_told_it(aws, account, tmp_path, listing, reason):
    aws.listing = listing
    with pytest.raises(AgentError) as error:
        deployed(aws, account, tmp_path)
    assert str(error.value) == reason


def test_the_role_is_the_one_that_metadata_names(aws, account):
    account.credentials()
    assert f"GET /latest/meta-data/iam/security-credentials/{ROLE}" in aws.requests
