"""The account that the rehearsal is acted in refuses what AWS refuses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from greenroom.model.stack import PortRange
from tests.scenario.rehearsal.listening import served
from tests.scenario.rehearsal.policy import is_allowed
from tests.scenario.rehearsal.resolved import Made, groups_of
from tests.scenario.rehearsal.signatures import Asked, Caller, RefusedError, Service, caller_of
from tests.scenario.rehearsal.storage import Storage

READ = "s3:GetObject"
CODE = "arn:aws:s3:::code/"
REGION = "eu-west-1"
OPERATOR = Caller(name="operator", access_key="AKIAOPERATOR", secret="its secret")


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(resource: Any, action: Any = READ, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


MACHINE = Caller(
    name="machine",
    access_key="ASIAMACHINE",
    secret="another",
    token="a/token==",
    policies=(document(allow([f"{CODE}own/*", f"{CODE}one.tar"])),),
)


@pytest.mark.parametrize(
    ("statements", "action", "resource", "allowed"),
    [
        ([], READ, f"{CODE}a", False),
        ([allow(f"{CODE}a")], READ, f"{CODE}a", True),
        ([allow(f"{CODE}a")], READ, f"{CODE}ab", False),
        ([allow(f"{CODE}a*")], READ, f"{CODE}ab", True),
        ([allow(f"{CODE}a?")], READ, f"{CODE}a", False),
        ([allow(f"{CODE}a[b]")], READ, f"{CODE}ab", False),
        ([allow(f"{CODE}a", "S3:getobject")], READ, f"{CODE}a", True),
        ([allow(f"{CODE}a", "s3:*")], "s3:PutObject", f"{CODE}a", True),
        ([allow(f"{CODE}a")], "s3:PutObject", f"{CODE}a", False),
        ([allow("*"), {**allow(f"{CODE}a"), "Effect": "Deny"}], READ, f"{CODE}a", False),
        (
            [allow("*", Condition={"StringLike": {"s3:prefix": "x"}})],
            READ,
            f"{CODE}a",
            False,
        ),
    ],
)
def test_a_policy_allows_what_a_statement_names_and_nothing_else(
    statements: list[dict[str, Any]], action: str, resource: str, allowed: bool
) -> None:
    assert is_allowed([document(*statements)], action, resource, {}) is allowed


@pytest.mark.parametrize(
    ("operator", "values", "met"),
    [
        ("StringEquals", ["a"], True),
        ("StringEquals", ["b"], False),
        ("StringEquals", [], False),
        ("StringLike", ["a"], True),
        ("ForAllValues:StringEquals", ["a", "a"], True),
        ("ForAllValues:StringEquals", ["a", "b"], False),
        # IAM user guide, «Multivalued context keys»: also true where there is no value.
        ("ForAllValues:StringEquals", [], True),
    ],
)
def test_a_condition_is_about_all_that_the_request_names(
    operator: str, values: list[str], met: bool
) -> None:
    documents = [document(allow("*", Condition={operator: {"route53:Names": ["a"]}}))]
    assert is_allowed(documents, READ, f"{CODE}a", {"route53:names": values}) is met


def test_a_policy_variable_stands_for_its_sign() -> None:
    documents = [document(allow(f"{CODE}a${{*}}b"))]
    assert is_allowed(documents, READ, f"{CODE}a*b", {})
    assert not is_allowed(documents, READ, f"{CODE}axb", {})


@pytest.fixture
def client() -> Iterator[Callable[[Caller], Any]]:
    """boto3's clients of a storage with two objects."""
    callers = {caller.access_key: caller for caller in (OPERATOR, MACHINE)}
    storage = Storage(REGION, callers.get)
    storage.put("code", "own/x +ü=1.tar", b"own")
    storage.put("code", "other.tar", b"other")
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def made(caller: Caller) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=caller.access_key,
            aws_secret_access_key=caller.secret,
            aws_session_token=caller.token,
        )

    with served(listener, lambda asked, _: storage.answer(asked)):
        yield made


def test_whoever_signs_gets_what_the_role_may_read(client: Callable[[Caller], Any]) -> None:
    got = client(MACHINE).get_object(Bucket="code", Key="own/x +ü=1.tar")
    assert got["Body"].read() == b"own"
    client(OPERATOR).put_object(Bucket="code", Key="one.tar", Body=b"new", ContentType="a/b")
    got = client(MACHINE).get_object(Bucket="code", Key="one.tar")
    assert (got["Body"].read(), got["ContentType"]) == (b"new", "a/b")


@pytest.mark.parametrize(
    ("caller", "key", "code"),
    [
        (MACHINE, "other.tar", "AccessDenied"),
        # Who may not list is not told that there is no such object.
        (MACHINE, "own/missing", "AccessDenied"),
        (OPERATOR, "own/missing", "NoSuchKey"),
        (Caller(name="", access_key="AKIAOPERATOR", secret="x"), "x", "SignatureDoesNotMatch"),
        (Caller(name="", access_key="AKIANOBODY", secret="x"), "x", "InvalidAccessKeyId"),
        (
            Caller(name="", access_key="ASIAMACHINE", secret="another", token="stolen"),
            "own/x +ü=1.tar",
            "InvalidToken",
        ),
    ],
)
def test_everybody_else_is_refused(
    client: Callable[[Caller], Any], caller: Caller, key: str, code: str
) -> None:
    with pytest.raises(ClientError) as raised:
        client(caller).get_object(Bucket="code", Key=key)
    assert raised.value.response["Error"]["Code"] == code


def test_an_unsigned_request_is_refused() -> None:
    asked = Asked(method="GET", target="/code/a", headers={"host": "h"}, body=b"")
    storage = Storage(REGION, lambda key: OPERATOR)
    assert storage.answer(asked).status == 403
    with pytest.raises(RefusedError, match="AccessDenied"):
        caller_of(
            asked,
            service=Service(name="s3", region=REGION),
            caller_with=lambda key: None,
            now=datetime.now(UTC),
        )


def rule(kind: str, group: str, **properties: Any) -> Made:
    return Made(
        logical_id=f"{kind}{group}",
        type=f"AWS::EC2::SecurityGroup{kind}",
        physical_id=f"sgr-{kind}{group}",
        properties={
            "GroupId": group,
            "IpProtocol": "tcp",
            "FromPort": 3306,
            "ToPort": 3306,
            **properties,
        },
    )


def test_a_flow_between_groups_needs_both_of_its_ends() -> None:
    groups = [
        Made(logical_id=name, type="AWS::EC2::SecurityGroup", physical_id=name, properties={})
        for name in ("sg-a", "sg-b")
    ]
    inward = rule("Ingress", "sg-b", SourceSecurityGroupId="sg-a")
    outward = rule("Egress", "sg-a", DestinationSecurityGroupId="sg-b")
    narrow = rule("Egress", "sg-a", DestinationSecurityGroupId="sg-b", FromPort=1, ToPort=2)
    (_, alone) = groups_of([*groups, inward])
    assert alone.ingress == ()
    (_, narrowed) = groups_of([*groups, inward, narrow])
    assert narrowed.ingress == ()
    (source, target) = groups_of([*groups, inward, outward])
    assert source.ingress == ()
    (found,) = target.ingress
    assert (found.group, found.ports) == ("sg-a", PortRange(first=3306, last=3306))
