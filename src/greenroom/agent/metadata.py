"""The EC2 metadata service, version 2 only: a token first, then everything with it.

See «Use the Instance Metadata Service» in Amazon's EC2 User Guide.
"""

from __future__ import annotations

import time

from .backoff import tries
from .errors import AgentError
from .fetch import Connection, FetchError, parse_url, quote

TOKEN_TTL_S = 300
ANSWER_S = 10.0
"""How long a service that does not answer is asked again: at boot it may start beside us."""


class Metadata:
    """One token and, if the server keeps it, one connection for all questions."""

    def __init__(self, url: str, *, patience_s: float = ANSWER_S) -> None:
        parts = parse_url(url)
        self._url = url
        self._connection = Connection(parts.host, parts.port, timeout_s=5.0)
        self._patience_s = patience_s
        self._token = ""

    def get(self, path: str) -> str | None:
        """What stands at ``/latest/PATH``, or None; raises AgentError if nobody answers."""
        if not self._token:
            self._token = self._fetch_token()
        target = f"/latest/{quote(path, safe='/')}"
        headers = {"X-aws-ec2-metadata-token": self._token}
        status, text = self._ask("GET", target, headers)
        if status == 401:  # the token has expired, or the service was restarted
            self._token = headers["X-aws-ec2-metadata-token"] = self._fetch_token()
            status, text = self._ask("GET", target, headers)
        if status == 404:
            return None
        if status != 200:
            raise AgentError(f"metadata {self._url} answered {status} to GET {target}")
        return text

    def tags(self) -> dict[str, str]:
        """All tags of this machine, sorted; empty if tags are switched off in metadata."""
        keys = (self.get("meta-data/tags/instance/") or "").split("\n")
        tags = {key: self.tag(key) for key in sorted(keys) if key}
        return {key: value for key, value in tags.items() if value is not None}

    def tag(self, key: str) -> str | None:
        """One tag's value, or None."""
        if not key or "/" in key:  # another page of metadata, not a tag
            return None
        return self.get(f"meta-data/tags/instance/{key}")

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _fetch_token(self) -> str:
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
        status, token = self._ask("PUT", "/latest/api/token", ttl)
        if status != 200 or not token:
            raise AgentError(f"metadata {self._url} gave no token: it answered {status}")
        return token

    def _ask(self, method: str, target: str, headers: dict[str, str]) -> tuple[int, str]:
        problem = ""
        for _ in tries(time.monotonic() + self._patience_s):
            try:
                answer = self._connection.request(method, target, headers)
            except FetchError as error:  # a kept connection may have been closed meanwhile
                problem = str(error)
            else:
                if answer.status < 500:
                    return answer.status, answer.text
                problem = f"it answered {answer.status}"
        raise AgentError(
            f"metadata {self._url} did not answer for {self._patience_s:g} s: {problem}"
        )
