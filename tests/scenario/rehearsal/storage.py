"""S3 inside the region, as far as machines and the operator use it: objects by path-style URLs.

A machine may do what its role's policies allow and nothing else. Without s3:ListBucket an object
that is not there looks like one that may not be read (S3 API reference, GetObject, «Permissions»).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from tests.scenario.rehearsal.policy import is_allowed
from tests.scenario.rehearsal.signatures import Asked, Caller, RefusedError, Service, caller_of

_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body of a reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One request that was answered; ``caller`` is empty if nobody could be made out."""

    caller: str
    method: str
    path: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    content: bytes
    content_type: str
    metadata: Mapping[str, str]
    at: datetime


class Storage:
    """The buckets of one account in ``region``. Thread-safe."""

    def __init__(self, region: str, caller_with: Callable[[str], Caller | None]) -> None:
        self._service = Service(name="s3", region=region)
        self._caller_with = caller_with
        self.closed: set[str] = set()
        """Buckets that the operator may not look into."""
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], _Object] = {}
        self._log: list[Access] = []

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Put an object there, as somebody did long ago."""
        with self._lock:
            self._objects[bucket, key] = _object(content, {})

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object; raises KeyError."""
        with self._lock:
            del self._objects[bucket, key]

    def content(self, bucket: str, key: str) -> bytes:
        """What an object holds; raises KeyError."""
        with self._lock:
            return self._objects[bucket, key].content

    def keys(self, bucket: str) -> list[str]:
        """The keys in a bucket, sorted."""
        with self._lock:
            return sorted(key for held, key in self._objects if held == bucket)

    def accesses(self) -> list[Access]:
        """All requests so far."""
        with self._lock:
            return list(self._log)

    def answer(self, asked: Asked) -> Answer:
        """One request to its answer."""
        path = unquote(urlsplit(asked.target).path)
        name = ""
        try:
            caller = caller_of(
                asked,
                service=self._service,
                caller_with=self._caller_with,
                now=datetime.now(UTC),
            )
            name = caller.name
            given = self._answer(asked, caller, path)
        except RefusedError as error:
            given = refusal(error, path, asked.method)
        with self._lock:
            access = Access(caller=name, method=asked.method, path=path, status=given.status)
            self._log.append(access)
        return given

    def _answer(self, asked: Asked, caller: Caller, path: str) -> Answer:
        bucket, _, key = path.lstrip("/").partition("/")
        if caller.policies is None and bucket in self.closed:
            raise RefusedError(403, "AccessDenied", f"{caller.name} may not look into {bucket}")
        if asked.method == "HEAD" and not key:
            return self._head_bucket(caller, bucket)
        if asked.method not in _ACTIONS or not key or urlsplit(asked.target).query:
            raise RefusedError(501, "NotImplemented", f"{asked.method} {asked.target}")
        if not _may(caller, _ACTIONS[asked.method], f"arn:aws:s3:::{bucket}/{key}"):
            raise RefusedError(403, "AccessDenied", f"{caller.name} may not {asked.method} {path}")
        if asked.method == "PUT":
            with self._lock:
                self._objects[bucket, key] = made = _object(asked.body, asked.headers)
            return Answer(status=200, headers={"ETag": _etag(made)}, body=b"")
        with self._lock:
            found = self._objects.get((bucket, key))
        if found is None:
            if not _may(caller, "s3:ListBucket", f"arn:aws:s3:::{bucket}"):
                raise RefusedError(403, "AccessDenied", f"{caller.name} may not list {bucket}")
            raise RefusedError(404, "NoSuchKey", "The specified key does not exist.")
        return Answer(status=200, headers=_headers(found), body=found.content)

    def _head_bucket(self, caller: Caller, bucket: str) -> Answer:
        """Every bucket is there, in the one region (S3 API reference, HeadBucket)."""
        if not _may(caller, "s3:ListBucket", f"arn:aws:s3:::{bucket}"):
            raise RefusedError(403, "AccessDenied", f"{caller.name} may not list {bucket}")
        headers = {"x-amz-bucket-region": self._service.region}
        return Answer(status=200, headers=headers, body=b"")


def _may(caller: Caller, action: str, resource: str) -> bool:
    return caller.policies is None or is_allowed(caller.policies, action, resource, {})


def _object(content: bytes, headers: Mapping[str, str]) -> _Object:
    return _Object(
        content=content,
        content_type=headers.get("content-type", "binary/octet-stream"),
        metadata={n: v for n, v in headers.items() if n.startswith("x-amz-meta-")},
        at=datetime.now(UTC),
    )


def _headers(found: _Object) -> dict[str, str]:
    return {
        "Content-Type": found.content_type,
        "ETag": _etag(found),
        "Last-Modified": found.at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        **found.metadata,
    }


def _etag(found: _Object) -> str:
    digest = hashlib.md5(found.content, usedforsecurity=False).hexdigest()
    return f'"{digest}"'


def refusal(error: RefusedError, path: str, method: str) -> Answer:
    """An error in S3's words."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{error.message}</Message>"
        f"<Resource>{path}</Resource></Error>"
    )
    headers = {"Content-Type": "application/xml"}
    return Answer(
        status=error.status, headers=headers, body=b"" if method == "HEAD" else text.encode()
    )
