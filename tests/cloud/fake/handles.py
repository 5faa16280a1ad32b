"""Wait handles: presigned URLs, and what was signalled to them.

As on AWS a handle is a URL of S3: whoever holds it may PUT, also twice, late, or after the stack
is gone, and is told nothing but 200. What counts is decided by CloudFormation afterwards.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote

from tests.cloud.fake.clock import Clock
from tests.cloud.fake.query import ApiError

DATA_BYTES_MAX = 4096
EXPIRY_S = 86_400.0
"""How long a handle's URL is signed for."""
BUCKET = "/cloudformation-waitcondition-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one PUT said."""

    success: bool
    unique_id: str
    reason: str
    data: str


@dataclass(slots=True, kw_only=True)
class Handle:
    """``signals`` are those that count, the first of each UniqueId; ``ignored`` says why others
    do not, for tests to read."""

    url: str
    expires_s: float
    signals: list[Signal] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def data(self) -> str:
        """What Fn::GetAtt Data of the condition gives: a JSON map of UniqueId to Data."""
        found = {signal.unique_id: signal.data for signal in self.signals if signal.success}
        return json.dumps(found, separators=(",", ":"))


class Handles:
    """All handles of the account. ``base_url`` is where the server listens."""

    def __init__(self, clock: Clock, base_url: str) -> None:
        self._clock = clock
        self._base_url = base_url
        self._lock = threading.Lock()
        self._handles: dict[str, Handle] = {}

    def make(self, region: str, stack_id: str, logical_id: str, nonce: str) -> Handle:
        """A new handle; ``nonce`` tells it from an earlier one of the same name."""
        name = quote(f"{stack_id}/{logical_id}", safe="")
        signature = hashlib.sha256(f"{stack_id}{logical_id}{nonce}".encode()).hexdigest()[:28]
        expires_s = self._clock.now_s() + EXPIRY_S
        path = f"{BUCKET}{region}/{name}"
        url = (
            f"{self._base_url}{path}?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE"
            f"&Expires={int(self._clock.now().timestamp() + EXPIRY_S)}&Signature={signature}"
        )
        handle = Handle(url=url, expires_s=expires_s)
        with self._lock:
            self._handles[signature] = handle
        return handle

    def find(self, url: str) -> Handle | None:
        """The handle that has this URL."""
        with self._lock:
            return next((one for one in self._handles.values() if one.url == url), None)

    def put(self, path: str, query: str, content_type: str, body: bytes) -> None:
        """Take a signal; raises ApiError (S3's) for a URL that is not signed as it should be.

        The signature is made for an empty Content-Type, hence curl's ``-H 'Content-Type:'`` in
        every example of the CloudFormation guide ("Wait conditions").
        """
        signature = parse_qs(query).get("Signature", [""])[0]
        with self._lock:
            handle = self._handles.get(signature)
        right = handle is not None and unquote(path) in unquote(handle.url)
        if handle is None or not right or content_type:
            raise ApiError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                "Check your key and signing method.",
                403,
            )
        if self._clock.now_s() > handle.expires_s:
            raise ApiError("AccessDenied", "Request has expired", 403)
        with self._lock:
            _take(handle, body)
        self._clock.wake()


def _take(handle: Handle, body: bytes) -> None:
    try:
        signal = _parse(body)
    except ValueError as exc:
        handle.ignored.append(str(exc))
        return
    if any(known.unique_id == signal.unique_id for known in handle.signals):
        handle.ignored.append(f"a second signal of {signal.unique_id}")
        return
    handle.signals.append(signal)


def _parse(body: bytes) -> Signal:
    document = json.loads(body)
    if not isinstance(document, Mapping):
        raise ValueError("not a JSON object")
    status = document.get("Status")
    if status not in ("SUCCESS", "FAILURE"):
        raise ValueError(f"Status is {status!r}")
    unique_id = document.get("UniqueId")
    if not isinstance(unique_id, str) or not unique_id:
        raise ValueError(f"UniqueId is {unique_id!r}")
    data = document.get("Data", "")
    text = data if isinstance(data, str) else json.dumps(data)
    if len(text.encode()) > DATA_BYTES_MAX:
        raise ValueError(f"Data has {len(text.encode())} bytes, at most {DATA_BYTES_MAX} are taken")
    return Signal(
        success=status == "SUCCESS",
        unique_id=unique_id,
        reason=str(document.get("Reason", "")),
        data=text,
    )
