"""Objects of a bucket over HTTP: S3's way of reading, with S3's answers explained to people."""

from __future__ import annotations

import time

from .errors import AgentError
from .fetch import FetchError, download, quote, request
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from .account import Account

    Answer = TypeVar("Answer")

PAUSES_S = (0.1, 0.5, 2.0)
"""A bucket that does not answer is asked again; one that says no is not."""

OBJECT_BYTES = 1 << 42
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")


class DeniedError(AgentError):
    """S3 does not let us read the object, or does not want to say that there is none."""


class Fetched(Value):
    """What is in the file now."""

    sha256: str
    size: int


class Bucket(Value):
    """``url`` ends with the bucket's name. ``account`` signs what is asked; None in a local
    region, where the buckets know machines by their addresses."""

    url: str
    account: Account | None = None

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rstrip("/").rpartition("/")[2]

    def address(self, key: str) -> str:
        """The object's URL; raises AgentError for a key that could leave the bucket."""
        parts = key.split("/")
        if not key or "" in parts or "." in parts or ".." in parts:
            raise AgentError(f"{key!r} is not a key of bucket {self.name!r}")
        return f"{self.url.rstrip('/')}/{quote(key, safe='/')}"

    def read(self, key: str) -> bytes | None:
        """A small object, or None if there is none; raises AgentError."""
        url = self.address(key)

        def ask() -> tuple[int, bytes, bytes]:
            answer = request("GET", url, headers=self._signature(url))
            return answer.status, answer.body, answer.body

        status, body = self._ask(key, ask)
        return body if status == 200 else None

    def fetch(self, key: str, path: str) -> Fetched | None:
        """An object into a new file at ``path``, or None if there is none; raises AgentError."""
        url = self.address(key)

        def ask() -> tuple[int, Fetched, bytes]:
            with open(path, "wb") as file:
                got = download(url, file, limit_bytes=OBJECT_BYTES, headers=self._signature(url))
            return got.status, Fetched(sha256=got.sha256, size=got.size), got.refusal

        status, fetched = self._ask(key, ask)
        return fetched if status == 200 else None

    def _signature(self, url: str) -> dict[str, str]:
        return self.account.headers("s3", "GET", url) if self.account else {}

    def _ask(self, key: str, ask: Callable[[], tuple[int, Answer, bytes]]) -> tuple[int, Answer]:
        """Try again while the bucket does not answer or answers 5xx; 200 and 404 come back."""
        problem = ""
        for pause_s in (*PAUSES_S, None):
            try:
                status, answer, body = ask()
            except FetchError as error:
                problem = str(error)
            else:
                code = "" if status == 200 else error_code(body)
                if status in (200, 404) and code != "NoSuchBucket":
                    return status, answer
                problem = f"it answered {status} {code}".rstrip()
                if self.account is not None and code in EXPIRED:
                    self.account.renew()
                elif status == 403 and code in ("", "AccessDenied"):
                    raise self._denied(key)
                elif status < 500:
                    break
            if pause_s is not None:
                time.sleep(pause_s)
        raise AgentError(f"cannot read {key} in bucket {self.name!r}: {problem}")

    def _denied(self, key: str) -> AgentError:
        if self.account is None:
            return AgentError(
                f"this machine may not read {key} in bucket {self.name!r} (403): "
                "does its instance profile allow it?"
            )
        # Who may not list a bucket is not told either that an object is missing (S3 API
        # reference, GetObject).
        return DeniedError(
            f"{key} in bucket {self.name!r} is not there, or this machine may not read it (403): "
            "was it pushed, and does the machine's role allow s3:GetObject on it?"
        )


def error_code(body: bytes) -> str:
    """The code in one of S3's error documents, or nothing (pure)."""
    _, start, rest = body[:4096].decode("utf-8", "replace").partition("<Code>")
    code, end, _ = rest.partition("</Code>")
    return code if start and end and code.isalnum() else ""
