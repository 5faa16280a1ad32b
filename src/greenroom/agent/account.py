"""The AWS account as this machine may use it: its instance profile's credentials, and requests
signed with them. Imported on AWS only."""

from __future__ import annotations

import time

from .backoff import tries
from .errors import AgentError
from .metadata import Metadata
from .quick_json import loads
from .sigv4 import Credentials, signed_headers

CREDENTIALS_PATH = "meta-data/iam/security-credentials/"
PATIENCE_S = 30.0
"""A new instance may run before its instance profile is known to metadata."""
EARLY_S = 300.0
"""Credentials are renewed before they expire; metadata has new ones at least this long before."""


class Account:
    """One instance profile. Credentials are asked for when they are needed, and kept."""

    def __init__(self, region: str, metadata: Metadata) -> None:
        self.region = region
        self._metadata = metadata
        self._credentials: Credentials | None = None

    def headers(
        self, service: str, method: str, url: str, body: bytes = b"", *, region: str = ""
    ) -> dict[str, str]:
        """The headers that sign this request now; raises AgentError."""
        return signed_headers(
            self.credentials(),
            method=method,
            url=url,
            region=region or self.region,
            service=service,
            body=body,
            at=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        )

    def credentials(self) -> Credentials:
        """Credentials with some life left; raises AgentError if the machine has none."""
        kept = self._credentials
        if kept is None or kept.expires_at <= _stamp(time.time() + EARLY_S):
            kept = self._credentials = self._ask()
        return kept

    def renew(self) -> None:
        """Ask again before the next request: AWS says that these have expired."""
        self._credentials = None

    def _ask(self) -> Credentials:
        for _ in tries(time.monotonic() + PATIENCE_S, first_s=0.5, longest_s=2.0):
            role = (self._metadata.get(CREDENTIALS_PATH) or "").split("\n")[0].strip()
            text = self._metadata.get(CREDENTIALS_PATH + role) if role else None
            if text is not None:
                return parse_credentials(text, role)
        raise AgentError(
            "metadata has no credentials: this machine has no instance profile, "
            "or the profile has no role"
        )


def parse_credentials(text: str, role: str) -> Credentials:
    """What metadata says of a role; raises AgentError that shows nothing secret."""
    try:
        document = loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AgentError(f"metadata's credentials of the role {role} are not an object")
    code = document.get("Code", "Success")
    if code != "Success":
        raise AgentError(f"metadata has no credentials of the role {role}: {code}")
    values = {}
    for field, key in _FIELDS.items():
        value = document.get(key)
        if not isinstance(value, str) or not value.isprintable() or not value:
            raise AgentError(f"metadata's credentials of the role {role} have no {key}")
        values[field] = value
    return Credentials(**values)


_FIELDS = {
    "access_key": "AccessKeyId",
    "secret_key": "SecretAccessKey",
    "token": "Token",
    "expires_at": "Expiration",
}


def _stamp(seconds: float) -> str:
    """As metadata writes time, which sorts as text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
