"""Who signed a request: Signature Version 4, with botocore's own signer as the oracle.

The caller's request is signed anew with the secret that belongs to its access key; what comes out
must be what it sent. Source: Amazon S3 API reference, «Authenticating Requests (AWS Signature
Version 4)»; IAM user guide, «Create a signed AWS API request».
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request, ?SignedHeaders=(?P<headers>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Keys and whose they are. ``token`` None: of a user, not of a session. ``policies`` are the
    documents of its role; None may do everything."""

    name: str
    access_key: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    policies: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class RefusedError(Exception):
    """AWS says no: ``status`` and ``code`` are its own."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a request is signed for."""

    name: str
    region: str

    @property
    def is_s3(self) -> bool:
        """S3 encodes paths once, and wants a header with the body's hash."""
        return self.name == "s3"


def caller_of(
    asked: Asked,
    *,
    service: Service,
    caller_with: Callable[[str], Caller | None],
    now: datetime,
) -> Caller:
    """Who signed it. Raises RefusedError as the service would."""
    headers = asked.headers
    if "authorization" not in headers:
        raise RefusedError(403, "AccessDenied", "Access Denied")
    found = _AUTHORIZATION.fullmatch(headers["authorization"])
    if found is None:
        raise RefusedError(400, "AuthorizationHeaderMalformed", headers["authorization"])
    caller = caller_with(found["key"])
    if caller is None:
        raise RefusedError(403, "InvalidAccessKeyId", f"nobody has the key {found['key']}")
    if (found["region"], found["service"]) != (service.region, service.name):
        scope = f"the credential is for {found['service']} in {found['region']}, not for {service}"
        raise RefusedError(400, "AuthorizationHeaderMalformed", scope)
    signed = found["headers"].split(";")
    _refuse_unsigned(headers, signed, service)
    _refuse_time(headers, found["day"], now)
    if headers.get("x-amz-security-token") != caller.token:
        raise RefusedError(400, "InvalidToken", "the token is not that of the key")
    if "x-amz-content-sha256" in headers:
        _refuse_body(headers["x-amz-content-sha256"], asked.body)
    if not hmac.compare_digest(_signature(asked, caller, service, signed), found["signature"]):
        raise RefusedError(403, "SignatureDoesNotMatch", "The request signature does not match")
    return caller


def _refuse_unsigned(headers: Mapping[str, str], signed: list[str], service: Service) -> None:
    """Host and every x-amz- header must be signed, and what is signed must be there."""
    if service.is_s3 and "x-amz-content-sha256" not in headers:
        raise RefusedError(400, "MissingSecurityHeader", "x-amz-content-sha256")
    needed = {"host", *(name for name in headers if name.startswith("x-amz-"))}
    if not needed <= set(signed) or not set(signed) <= set(headers):
        raise RefusedError(403, "AccessDenied", "There were headers which were not signed")
    if signed != sorted(signed):
        raise RefusedError(403, "SignatureDoesNotMatch", "the signed headers are not in order")


def _refuse_time(headers: Mapping[str, str], day: str, now: datetime) -> None:
    try:
        at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except (KeyError, ValueError) as error:
        raise RefusedError(403, "AccessDenied", "AWS authentication requires a date") from error
    if abs(now - at) > _SKEW or at.strftime("%Y%m%d") != day:
        raise RefusedError(403, "RequestTimeTooSkewed", f"{at} against {now}")


def _refuse_body(said: str, body: bytes) -> None:
    if said == "UNSIGNED-PAYLOAD":
        return
    if said != hashlib.sha256(body).hexdigest():
        raise RefusedError(400, "XAmzContentSHA256Mismatch", "the body has another hash")


def _signature(asked: Asked, caller: Caller, service: Service, signed: list[str]) -> str:
    credentials = Credentials(caller.access_key, caller.secret, caller.token)
    kind = S3SigV4Auth if service.is_s3 else SigV4Auth
    auth = kind(credentials, service.name, service.region)
    parts = urlsplit(asked.target)
    # AWS encodes the path anew, so a caller must have signed just that encoding.
    path = quote(unquote(parts.path), safe="/-._~")
    again = AWSRequest(
        method=asked.method,
        url=f"http://{asked.headers['host']}{path}?{parts.query}",
        headers={name: asked.headers[name] for name in signed},
        data=asked.body,
    )
    again.context["timestamp"] = asked.headers["x-amz-date"]
    return str(auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again))
