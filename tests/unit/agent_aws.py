"""An AWS account of one machine on 127.0.0.1: metadata with an instance profile, S3 that admits
only what botocore would have signed, and Route53."""

from __future__ import annotations

import hashlib
import json
import urllib.parse

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.unit.agent_region import Region, RegionHandler, serving

REGION = "eu-west-1"
ROLE = "photos-extract-access"
KEYS = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "wJalr/XUtnFEMI+K7MDENG",
    "Token": "IQoJb3JpZ2luX2Vj/+token==",
    "Expiration": "2999-01-01T00:00:00Z",
}
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
EXPIRED = b"<Error><Code>ExpiredToken</Code></Error>"
WRONG = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"


class Account(Region):
    """``listing`` is whether S3 tells a missing object from a forbidden one. ``spent`` are tokens
    that have expired before their time. ``role`` None: the machine has no instance profile."""

    def __init__(self) -> None:
        super().__init__()
        self.role: str | None = ROLE
        self.keys = dict(KEYS)
        self.spent: set[str] = set()
        self.listing = False
        self.public: dict[str, bytes] = {}
        self.missing_buckets: set[str] = set()
        self.credentials_asked = 0
        self.changes: list[str] = []
        self.change_failures: list[tuple[int, bytes]] = []


def signature(method, url, headers, body, keys, region, service) -> str:
    """What botocore would have put into the Authorization of this request."""
    request = AWSRequest(method, url, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    request.headers["X-Amz-Date"] = headers["X-Amz-Date"]
    request.headers["X-Amz-Security-Token"] = keys["Token"]
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    auth = kind(credentials, service, region)
    canonical = auth.canonical_request(request)
    return auth.signature(auth.string_to_sign(request, canonical), request)


class _AccountHandler(RegionHandler):
    region: Account

    def _genuine(self, service: str, region: str, body: bytes) -> bytes | None:
        """None, or S3's refusal."""
        given = self.headers.get("Authorization", "")
        if f"/{region}/{service}/aws4_request" not in given:
            return DENIED
        if self.headers.get("X-Amz-Security-Token") in self.region.spent:
            return EXPIRED
        url = f"http://{self.headers['Host']}{self.path}"
        wanted = signature(self.command, url, self.headers, body, self.region.keys, region, service)
        return None if given.endswith(f"Signature={wanted}") else WRONG

    def _metadata(self, path: str) -> None:
        base = "meta-data/iam/security-credentials/"
        if not path.startswith(base) or self.headers.get("X-aws-ec2-metadata-token") is None:
            super()._metadata(path)
        elif self.region.role is None:
            self._answer(404)
        elif path == base:
            self._answer(200, self.region.role.encode())
        elif path == base + self.region.role:
            self.region.credentials_asked += 1
            document = {"Code": "Success", "Type": "AWS-HMAC", **self.region.keys}
            self._answer(200, json.dumps(document, indent=2).encode())
        else:
            self._answer(404)

    def _object(self, key: str) -> None:
        if key in self.region.public:
            self._answer(200, self.region.public[key])
            return
        refusal = self._genuine("s3", REGION, b"")
        if refusal is not None:
            self._answer(400 if refusal == EXPIRED else 403, refusal)
        elif key.partition("/")[0] in self.region.missing_buckets:
            self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif key in self.region.objects:
            self._answer(200, self.region.objects[key])
        elif self.region.listing and key not in self.region.forbidden:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._answer(403, DENIED)

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.region.requests.append(f"POST {urllib.parse.unquote(self.path)}")
        refusal = self._genuine("route53", "us-east-1", body)
        if refusal is not None:
            self._answer(403, refusal)
        elif self.region.change_failures:
            self._answer(*self.region.change_failures.pop(0))
        else:
            self.region.changes.append(body.decode())
            self._answer(200, b"<ChangeResourceRecordSetsResponse/>")


def running_account():
    """An account that answers until the block is left."""
    return serving(Account(), _AccountHandler)


def aws_document(account: Account, **changes: object) -> dict:
    """The aws of a boot.json whose image is already made."""
    return {
        "region": REGION,
        "image": {
            "digest": "ab" * 32,
            "url": f"{account.url}/s3/own/images/x.json",
            "sha256": "cd" * 32,
        },
        "domain": "feature-x.photos.greenroom",
        "data_volume": False,
        "records": [],
        "route53_url": account.url,
        **changes,
    }
