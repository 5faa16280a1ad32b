"""Objects of a bucket over HTTP: S3's way of reading, with S3's answers explained to people."""

from __future__ import annotations

import time

from .errors import AgentError
from .fetch import FetchError, download, quote, request
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Answer = TypeVar("Answer")

PAUSES_S = (0.1, 0.5, 2.0)
"""A bucket that does not answer is asked again; one that says no is not."""

OBJECT_BYTES = 1 << 42


class Fetched(Value):
    """What is in the file now."""

    sha256: str
    size: int


class Bucket(Value):
    """``url`` ends with the bucket's name."""

    url: str

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

        def ask() -> tuple[int, bytes]:
            answer = request("GET", url)
            return answer.status, answer.body

        status, body = self._ask(key, ask)
        return body if status == 200 else None

    def fetch(self, key: str, path: str) -> Fetched | None:
        """An object into a new file at ``path``, or None if there is none; raises AgentError."""
        url = self.address(key)

        def ask() -> tuple[int, Fetched]:
            with open(path, "wb") as file:
                status, sha256, size = download(url, file, limit_bytes=OBJECT_BYTES)
            return status, Fetched(sha256=sha256, size=size)

        status, fetched = self._ask(key, ask)
        return fetched if status == 200 else None

    def _ask(self, key: str, ask: Callable[[], tuple[int, Answer]]) -> tuple[int, Answer]:
        """Try again while the bucket does not answer or answers 5xx; 200 and 404 come back."""
        problem = ""
        for pause_s in (*PAUSES_S, None):
            try:
                status, answer = ask()
            except FetchError as error:
                problem = str(error)
            else:
                if status in (200, 404):
                    return status, answer
                problem = f"it answered {status}"
                if status == 403:
                    raise AgentError(
                        f"this machine may not read {key} in bucket {self.name!r} (403): "
                        "does its instance profile allow it?"
                    )
                if status < 500:
                    break
            if pause_s is not None:
                time.sleep(pause_s)
        raise AgentError(f"cannot read {key} in bucket {self.name!r}: {problem}")
