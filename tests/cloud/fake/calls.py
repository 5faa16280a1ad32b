"""Which AWS action a request is, by botocore's models, and the log of all of them."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import parse_qs, parse_qsl

from botocore.loaders import Loader

OWN_KEY = "AKIACLOUDFORMATION00"
"""The access key that the fake itself uses: its calls are CloudFormation's, not the user's."""

_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: ``service`` as IAM prefixes it, ``action`` as botocore calls the operation,
    ``own``: CloudFormation made it on the user's behalf, ``resource`` what it names, for IAM."""

    service: str
    action: str
    region: str
    own: bool
    resource: str = "*"

    @property
    def name(self) -> str:
        """As a policy would have it, but for S3, whose actions and operations differ."""
        return f"{self.service}:{self.action}"


@dataclass(slots=True)
class CallLog:
    """All calls since the last ``clear``."""

    calls: list[Call] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, call: Call) -> None:
        """Remember ``call``."""
        with self.lock:
            self.calls.append(call)

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.calls.clear()

    def counts(self, service: str | None = None, *, own: bool = False) -> Counter[str]:
        """How often each "service:Action" was called, by the user or, ``own``, by the fake."""
        with self.lock:
            return Counter(
                call.name
                for call in self.calls
                if call.own == own and service in (None, call.service)
            )


def recognize(
    method: str, path: str, query: str, authorization: str, target: str, body: bytes
) -> Call | None:
    """The call that a signed request is; None for one that is not signed."""
    scope = _SCOPE.search(authorization)
    if scope is None:
        return None
    key, region, service = scope.groups()
    form: dict[str, str] = {}
    if target:
        action = target.rpartition(".")[2]
    elif service in ("s3", "route53"):
        action = _rest_action(service, method, path, query)
    else:
        form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        action = form.get("Action", "?")
    return Call(
        service=service,
        action=action,
        region=region,
        own=key == OWN_KEY,
        resource=_resource(service, region, path, form, body),
    )


def _resource(service: str, region: str, path: str, form: dict[str, str], body: bytes) -> str:
    """What IAM would name, where it is easily told; else ``*``."""
    if service == "s3":
        return f"arn:aws:s3:::{path.lstrip('/')}"
    if service == "cloudformation" and (name := form.get("StackName")):
        if name.startswith("arn:"):
            return name
        return f"arn:aws:cloudformation:{region}:123456789012:stack/{name}/*"
    if service == "ssm" and body.startswith(b"{"):
        name = json.loads(body).get("Name")
        if isinstance(name, str):
            return f"arn:aws:ssm:{region}:123456789012:parameter/{name.lstrip('/')}"
    return "*"


def _rest_action(service: str, method: str, path: str, query: str) -> str:
    """The operation of a REST service whose path and query fit best."""
    asked = set(parse_qs(query, keep_blank_values=True))
    for pattern, keys, http_method, name in _operations(service):
        if http_method == method and keys <= asked and pattern.fullmatch(path):
            return name
    return "?"


@cache
def _operations(service: str) -> list[tuple[re.Pattern[str], set[str], str, str]]:
    """(path, query keys, method, name) of each operation, the most specific ones first."""
    operations = Loader().load_service_model(service, "service-2")["operations"]
    found = []
    for name, operation in operations.items():
        uri, _, query = operation["http"]["requestUri"].partition("?")
        keys = set(parse_qs(query, keep_blank_values=True)) - {"x-id"}
        required = _required_keys(service, name)
        pattern = re.escape(uri).replace(r"\{Key\+\}", ".+")
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", pattern) + "/?"
        found.append((re.compile(pattern), keys | required, operation["http"]["method"], name))
    return sorted(found, key=lambda item: (-len(item[1]), -len(item[0].pattern)))


def _required_keys(service: str, name: str) -> set[str]:
    """Query keys that tell operations on the same path apart, such as S3's two ListObjects."""
    if service != "s3":
        return set()
    return {
        "ListObjectsV2": {"list-type"},
        "UploadPart": {"partNumber", "uploadId"},
        "UploadPartCopy": {"partNumber", "uploadId", "copy"},
        "CopyObject": {"copy"},
        "AbortMultipartUpload": {"uploadId"},
        "CompleteMultipartUpload": {"uploadId"},
        "ListParts": {"uploadId"},
    }.get(name, set())
