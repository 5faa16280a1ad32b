"""What AWS and boto3 complain about, and what a person reads of it."""

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from greenroom.errors import GreenroomError, HostError, InputError, OperationError, RefusedError
from greenroom.providers.aws.errors import (
    CREDENTIALS_HINT,
    LIMIT_HINT,
    POLICY_HINT,
    AnswerError,
    Asked,
    ThrottledError,
    UnreachableError,
    translated,
    unknown_parameter,
    unknown_region,
)
from greenroom.providers.aws.session import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    THROTTLE_PATIENCE_S,
    Access,
    Account,
    backoff,
)

ASKED = Asked(
    service="cloudformation",
    operation="CreateChangeSet",
    region="eu-west-1",
    subject="stack greenroom-photos-x",
)
USER = "arn:aws:iam::123456789012:user/ann"


def answer(code, message, status=400):
    reply = {"Error": {"Code": code, "Message": message}}
    reply["ResponseMetadata"] = {"HTTPStatusCode": status}
    return exceptions.ClientError(reply, "CreateChangeSet")


def of(service, operation, subject=""):
    return Asked(service=service, operation=operation, region="eu-west-1", subject=subject)


CASES = [
    (
        exceptions.NoCredentialsError(),
        ASKED,
        HostError,
        "E_AWS_CREDENTIALS",
        "there are no AWS credentials to ask for cloudformation:CreateChangeSet with "
        "(Unable to locate credentials)",
        CREDENTIALS_HINT,
    ),
    (
        answer("ExpiredToken", "The security token included in the request is expired", 403),
        ASKED,
        HostError,
        "E_AWS_EXPIRED",
        "the AWS credentials have expired: The security token included in the request is expired",
        "sign in again: aws sso login, or whatever gave you the session's keys",
    ),
    (
        exceptions.UnauthorizedSSOTokenError(),
        ASKED,
        HostError,
        "E_AWS_EXPIRED",
        "the AWS credentials have expired: The SSO session associated with this profile has "
        "expired or is otherwise invalid. To refresh this SSO session run aws sso login with "
        "the corresponding profile.",
        "sign in again: aws sso login, or whatever gave you the session's keys",
    ),
    (
        # AWS goes on with the request as it has read it; the session's token is a part of it.
        answer(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.\n\n"
            "The Canonical String for this request should have been\n'POST\n/\n\n"
            "host:cloudformation.eu-west-1.amazonaws.com\nx-amz-security-token:FwoGZXIvYXdzEXAMPLE",
            403,
        ),
        ASKED,
        HostError,
        "E_AWS_CREDENTIALS",
        "AWS does not accept the credentials for cloudformation:CreateChangeSet: The request "
        "signature we calculated does not match the signature you provided. "
        "(SignatureDoesNotMatch)",
        f"{CREDENTIALS_HINT}; the clock of this host must be right, too",
    ),
    (
        answer("InvalidClientTokenId", "The security token is invalid.", 403),
        ASKED,
        HostError,
        "E_AWS_CREDENTIALS",
        "AWS does not accept the credentials for cloudformation:CreateChangeSet: "
        "The security token is invalid. (InvalidClientTokenId)",
        f"{CREDENTIALS_HINT}; the clock of this host must be right, too",
    ),
    (
        answer(
            "AccessDenied",
            f"User: {USER} is not authorized to perform: cloudformation:CreateChangeSet on "
            "resource: arn:aws:cloudformation:eu-west-1:123456789012:stack/greenroom-photos-x/* "
            "because no identity-based policy allows the cloudformation:CreateChangeSet action",
            403,
        ),
        ASKED,
        RefusedError,
        "E_AWS_DENIED",
        "AWS denies cloudformation:CreateChangeSet on "
        f"arn:aws:cloudformation:eu-west-1:123456789012:stack/greenroom-photos-x/* to {USER}",
        "allow cloudformation:CreateChangeSet on "
        "arn:aws:cloudformation:eu-west-1:123456789012:stack/greenroom-photos-x/*; "
        f"{POLICY_HINT}",
    ),
    (
        answer(
            "UnauthorizedOperation",
            f"You are not authorized to perform this operation. User: {USER} is not authorized "
            "to perform: ec2:DescribeVpcs with an explicit deny in a service control policy",
            403,
        ),
        of("ec2", "DescribeVpcs"),
        RefusedError,
        "E_AWS_DENIED",
        f"AWS denies ec2:DescribeVpcs to {USER}",
        "an explicit deny in a service control policy forbids it; its owner must change that",
    ),
    (
        answer("403", "Forbidden", 403),
        of("s3", "HeadObject", "s3://photos-greenroom/agent/agent-1.pyz"),
        RefusedError,
        "E_AWS_DENIED",
        "AWS denies s3:GetObject on s3://photos-greenroom/agent/agent-1.pyz",
        f"allow s3:GetObject on s3://photos-greenroom/agent/agent-1.pyz; {POLICY_HINT}",
    ),
    (
        answer("Throttling", "Rate exceeded"),
        ASKED,
        ThrottledError,
        "E_AWS_THROTTLED",
        "AWS throttles cloudformation:CreateChangeSet (stack greenroom-photos-x) in eu-west-1: "
        "Rate exceeded",
        "something else in the account asks as often as it may; try again later",
    ),
    (
        answer("LimitExceededException", "Limit for stack has been exceeded"),
        ASKED,
        OperationError,
        "E_AWS_LIMIT",
        "a limit of the account forbids cloudformation:CreateChangeSet "
        "(stack greenroom-photos-x): Limit for stack has been exceeded",
        LIMIT_HINT,
    ),
    (
        answer("ValidationError", "Template format error: unresolved"),
        ASKED,
        AnswerError,
        "E_AWS_REFUSED",
        "AWS refused cloudformation:CreateChangeSet (stack greenroom-photos-x): "
        "Template format error: unresolved (ValidationError)",
        "",
    ),
    (
        answer("InternalFailure", "", 500),
        of("ec2", "DescribeVpcs"),
        UnreachableError,
        "E_AWS_UNAVAILABLE",
        "AWS failed at ec2:DescribeVpcs in eu-west-1: InternalFailure",
        "try again; https://health.aws.amazon.com tells of AWS's own faults",
    ),
    (
        answer(
            "503",
            "<html>\n<head><title>503 Service\nUnavailable</title></head>\n<body>"
            "<h1>Sorry</h1></body></html>",
            503,
        ),
        of("ec2", "DescribeVpcs"),
        UnreachableError,
        "E_AWS_UNAVAILABLE",
        "AWS failed at ec2:DescribeVpcs in eu-west-1: 503 Service Unavailable",
        "try again; https://health.aws.amazon.com tells of AWS's own faults",
    ),
    (
        ResponseParserError(
            "Unable to parse response (not well-formed: line 1, column 5), invalid XML received. "
            "Further retries may succeed:\nb'<!DOCTYPE html><html><body>no</body></html>'"
        ),
        of("ec2", "DescribeVpcs"),
        UnreachableError,
        "E_AWS_UNREACHABLE",
        "AWS did not answer ec2:DescribeVpcs in eu-west-1: Unable to parse response (not "
        "well-formed: line 1, column 5), invalid XML received. Further retries may succeed: "
        "a page and no answer of AWS's",
        "look at the network, a proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL; "
        "https://health.aws.amazon.com tells of AWS's own faults",
    ),
    (
        exceptions.EndpointConnectionError(endpoint_url="https://ec2.example"),
        of("ec2", "DescribeVpcs"),
        UnreachableError,
        "E_AWS_UNREACHABLE",
        "AWS did not answer ec2:DescribeVpcs in eu-west-1: "
        'Could not connect to the endpoint URL: "https://ec2.example"',
        "look at the network, a proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL; "
        "https://health.aws.amazon.com tells of AWS's own faults",
    ),
]


@pytest.mark.parametrize(
    ("foreign", "asked", "family", "code", "message", "hint"),
    CASES,
    ids=[f"{index}-{case[3]}" for index, case in enumerate(CASES)],
)
def test_each_error_of_boto3_has_its_words(foreign, asked, family, code, message, hint):
    ours = translated(foreign, asked)
    assert (type(ours), ours.code, ours.message, ours.hint) == (family, code, message, hint)


def test_a_misspelt_region_is_told_with_the_nearest_one():
    error = unknown_region("eu-wst-1", ("eu-west-1", "us-east-1"))
    assert isinstance(error, InputError)
    assert error.message == "there is no AWS region 'eu-wst-1'; did you mean 'eu-west-1'?"


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (
            "Unable to fetch parameters [/aws/service/debian/none] from parameter store for this "
            "account.",
            "/aws/service/debian/none",
        ),
        (
            "Parameters: [ssm:/aws/service/debian/none:1] cannot be found.",
            "/aws/service/debian/none",
        ),
        ("Template format error: JSON not well-formed. (line 1, column 2)", None),
    ],
)
def test_an_unknown_parameter_is_found_in_the_words_of_cloudformation(message, path):
    assert unknown_parameter(message) == path


class Throttled:
    """A client that refuses ``refusals`` times."""

    def __init__(self, refusals):
        self.refusals = refusals
        self.asked = 0

    def describe_stacks(self, **_):
        self.asked += 1
        if self.asked <= self.refusals:
            raise answer("Throttling", "Rate exceeded")
        return {"Stacks": []}


def account_with(client, monkeypatch, clock):
    told = []

    def wait(seconds):
        clock[0] += seconds

    monkeypatch.setattr("greenroom.providers.aws.session.time.monotonic", lambda: clock[0])
    account = Account(Access(region="eu-west-1"), wait=wait, tell=told.append)
    monkeypatch.setattr(account, "client", lambda service: client)
    return account, told


def test_throttling_is_waited_out_and_told(monkeypatch):
    client, clock = Throttled(6), [0.0]
    account, told = account_with(client, monkeypatch, clock)
    assert account.call("cloudformation", "DescribeStacks") == {"Stacks": []}
    assert client.asked == 7
    assert len(told) == 6
    assert told[0].startswith("AWS throttles cloudformation:DescribeStacks; asking again in ")
    assert clock[0] > 10, "the waits get longer"


def test_throttling_for_minutes_ends_in_an_error(monkeypatch):
    client, clock = Throttled(10**6), [0.0]
    account, told = account_with(client, monkeypatch, clock)
    with pytest.raises(GreenroomError) as caught:
        account.call("cloudformation", "DescribeStacks")
    assert caught.value.code == "E_AWS_THROTTLED"
    assert caught.value.message.startswith(
        "AWS throttles cloudformation:DescribeStacks in eu-west-1: Rate exceeded; tried again for "
    )
    assert THROTTLE_PATIENCE_S - BACKOFF_MAX_S <= clock[0] <= THROTTLE_PATIENCE_S
    assert client.asked < 60, "patience is not insistence"
    assert told


def test_the_backoff_grows_to_its_ceiling_and_never_past_it():
    pauses = [pause for pause, _ in zip(backoff(), range(50), strict=False)]
    assert BACKOFF_FIRST_S / 2 <= pauses[0] <= BACKOFF_FIRST_S
    assert all(BACKOFF_MAX_S / 2 <= pause <= BACKOFF_MAX_S for pause in pauses[10:])
    assert len(set(pauses[10:])) > 10, "the chance in it keeps many callers apart"


def test_an_unknown_profile_names_those_that_are_there(monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[profile staging]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(InputError) as caught:
        Account(Access(profile="stagin"))
    assert caught.value.message == "there is no AWS profile 'stagin'"
    assert caught.value.hint == (
        "profiles of this host: staging; aws configure sso --profile stagin makes it"
    )


def test_no_region_is_told_before_anything_is_asked(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(InputError) as caught:
        Account(Access())
    assert caught.value.message == "no AWS region is named"
