"""The instance metadata service of a rehearsed instance: what EC2 would say of a launch template.

Source: EC2 user guide, «Instance metadata categories», «Use IMDSv2», «Instance identity documents»
and «Retrieve security credentials from instance metadata».
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from greenroom.providers.local.metadata import TOKEN_HEADER, TTL_HEADER, Tokens
from tests.scenario.rehearsal.signatures import Asked, Caller
from tests.scenario.rehearsal.storage import Answer

_LIFE = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What EC2 knows of one instance. ``address`` is its private IPv4 address; ``tags`` are None
    unless the launch template lets metadata tell them; ``caller`` is None without a profile, and
    metadata knows it only from ``known_at``."""

    id: str
    region: str
    account: str
    ami: str
    type: str
    address: str
    groups: tuple[str, ...]
    tags: Mapping[str, str] | None
    tokens_required: bool
    user_data: bytes = field(repr=False)
    caller: Caller | None
    launched_at: datetime
    known_at: datetime

    @property
    def zone(self) -> str:
        """Its availability zone."""
        return f"{self.region}a"

    @property
    def hostname(self) -> str:
        """Its IP-based name (EC2 user guide, «EC2 instance hostnames and domains»)."""
        dashed = self.address.replace(".", "-")
        domain = "ec2.internal" if self.region == "us-east-1" else f"{self.region}.compute.internal"
        return f"ip-{dashed}.{domain}"


class MetadataService:
    """Answers each instance by its source address."""

    def __init__(self, instance_at: Callable[[str], Instance | None]) -> None:
        self._instance_at = instance_at
        self._tokens = Tokens()

    def answer(self, asked: Asked, address: str) -> Answer:
        """One request to its answer."""
        instance = self._instance_at(address)
        if instance is None:
            return _text(404)
        if (asked.method, asked.target) == ("PUT", "/latest/api/token"):
            forwarded = "x-forwarded-for" in asked.headers
            given = self._tokens.issue(address, asked.headers.get(TTL_HEADER), forwarded)
            return _text(given.status, given.body)
        token = asked.headers.get(TOKEN_HEADER)
        asks_as_v2 = instance.tokens_required or token is not None
        if asks_as_v2 and not self._tokens.valid(address, token):
            return _text(401)
        if asked.method != "GET":
            return _text(405)
        return _page(instance, unquote(asked.target))


def _page(instance: Instance, target: str) -> Answer:
    if target == "/latest/user-data":
        return Answer(status=200, headers={}, body=instance.user_data)
    wanted = target.removeprefix("/latest/").strip("/")
    pages = _pages(instance)
    if wanted in pages:
        return _text(200, pages[wanted])
    names = {
        head + slash
        for path in pages
        if path.startswith(f"{wanted}/")
        for head, slash, _ in [path.removeprefix(f"{wanted}/").partition("/")]
    }
    return _text(200, "\n".join(sorted(names))) if names else _text(404)


def _pages(instance: Instance) -> dict[str, str]:
    pages = {
        "ami-id": instance.ami,
        "hostname": instance.hostname,
        "instance-id": instance.id,
        "instance-type": instance.type,
        "local-hostname": instance.hostname,
        "local-ipv4": instance.address,
        "placement/availability-zone": instance.zone,
        "placement/region": instance.region,
        "security-groups": "\n".join(instance.groups),
        "services/domain": "amazonaws.com",
        **_credentials(instance),
    }
    for key, value in (instance.tags or {}).items():
        pages[f"tags/instance/{key}"] = value
    pages = {f"meta-data/{path}": text for path, text in pages.items()}
    pages["dynamic/instance-identity/document"] = _identity(instance)
    return pages


def _credentials(instance: Instance) -> dict[str, str]:
    caller = instance.caller
    if caller is None or datetime.now(UTC) < instance.known_at:
        return {}
    profile = f"arn:aws:iam::{instance.account}:instance-profile/{caller.name}"
    document = {
        "Code": "Success",
        "LastUpdated": _at(instance.launched_at),
        "Type": "AWS-HMAC",
        "AccessKeyId": caller.access_key,
        "SecretAccessKey": caller.secret,
        "Token": caller.token,
        "Expiration": _at(instance.launched_at + _LIFE),
    }
    return {
        "iam/info": json.dumps({"Code": "Success", "InstanceProfileArn": profile}),
        f"iam/security-credentials/{caller.name}": json.dumps(document, indent=2),
    }


def _identity(instance: Instance) -> str:
    document = {
        "accountId": instance.account,
        "architecture": "x86_64",
        "availabilityZone": instance.zone,
        "imageId": instance.ami,
        "instanceId": instance.id,
        "instanceType": instance.type,
        "pendingTime": _at(instance.launched_at),
        "privateIp": instance.address,
        "region": instance.region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)


def _at(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(status: int, body: str = "") -> Answer:
    return Answer(status=status, headers={"Content-Type": "text/plain"}, body=body.encode())
