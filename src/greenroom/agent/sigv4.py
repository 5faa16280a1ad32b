"""AWS Signature Version 4 in a request's headers (IAM User Guide, «Create a signed AWS API
request»). Pure, and imported on AWS only."""

from __future__ import annotations

import hmac
from hashlib import sha256

from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Value):
    """An instance profile's keys of the moment; ``expires_at`` as ``2026-11-23T07:00:00Z``."""

    access_key: str
    secret_key: str
    token: str
    expires_at: str

    def __repr__(self) -> str:
        """Without what is secret: a value may end in a log."""
        return f"Credentials(access_key={self.access_key!r}, …)"


def signed_headers(
    credentials: Credentials,
    *,
    method: str,
    url: str,
    region: str,
    service: str,
    body: bytes,
    at: str,
) -> dict[str, str]:
    """The headers that sign this request; ``at`` is UTC as ``20261123T070000Z``.

    The URL's path is signed as it stands, as S3 wants it: it must be percent-encoded, and have no
    query.
    """
    host, path = _split(url)
    headers = {
        "host": host,
        "x-amz-content-sha256": sha256(body).hexdigest(),
        "x-amz-date": at,
        "x-amz-security-token": credentials.token,
    }
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    request = sha256(_canonical(method, path, headers).encode()).hexdigest()
    signed = f"{ALGORITHM}\n{at}\n{scope}\n{request}"
    signature = hmac.new(_key(credentials, scope), signed.encode(), "sha256").hexdigest()
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={';'.join(headers)}, Signature={signature}"
    )
    # Host is written by whoever sends the request.
    return {**{n: v for n, v in headers.items() if n != "host"}, "Authorization": authorization}


def _split(url: str) -> tuple[str, str]:
    """Host as the client sends it, and path: a scheme's own port is left out."""
    assert "?" not in url
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    own_port = ":443" if scheme == "https" else ":80"
    return host.removesuffix(own_port), f"/{path}"


def _canonical(method: str, path: str, headers: Mapping[str, str]) -> str:
    """The request in the one form that both sides hash; ``headers`` are sorted by name."""
    lines = [f"{name}:{value}" for name, value in headers.items()]
    names = ";".join(headers)
    return "\n".join([method, path, "", *lines, "", names, headers["x-amz-content-sha256"]])


def _key(credentials: Credentials, scope: str) -> bytes:
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key
