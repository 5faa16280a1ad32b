"""What every request by TCP must pass, and what every answer says to the browser.

A browser will send a request of any page on the web to 127.0.0.1. So the name in ``Host`` must be
one of ours (a foreign name that resolves to 127.0.0.1 is DNS rebinding), and a request that
changes something must come from a page of ours (``Origin`` and ``Sec-Fetch-Site``, RFC 6454 and
https://www.w3.org/TR/fetch-metadata/).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from greenroom.web.place import PAGE_NAME

# Not every name below localhost: environments have theirs there, and a browser that knows the page
# by one would bring its cookie to them, as cookies know no ports.
_OWN_NAMES = ("localhost", "127.0.0.1", "[::1]", PAGE_NAME)
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = ("same-origin", "none")
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with that, browsers send "Origin: null" along with forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Guard:
    """Stands before all that is served by TCP."""

    def __init__(self, inner: ASGIApp, hosts: Iterable[str] = ()) -> None:
        """``hosts`` are further names under which the page may be asked for, without ports."""
        self._inner = inner
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        assert scope["type"] == "http", "there are no websockets, and lifespan is off"
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            await _with_headers(refusal, scope, receive, send)
            return
        await _with_headers(self._inner, scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            # 421 Misdirected Request, RFC 9110 section 15.5.20.
            return PlainTextResponse(
                f"E_HOST_NAME: greenroom is not served under the name {host[:80]!a}; "
                "GREENROOM_WEB_HOSTS adds names\n",
                status_code=421,
            )
        if method not in _SAFE_METHODS and not _from_own_page(headers, host):
            return PlainTextResponse(
                "E_ORIGIN: the request comes from a page that is not greenroom's\n",
                status_code=403,
            )
        return None

    def _is_ours(self, host: str) -> bool:
        name, separator, port = host.lower().rpartition(":")
        if not separator or not port.isdecimal():
            name = host.lower()
        return name in _OWN_NAMES or name in self._hosts


def _from_own_page(headers: Headers, host: str) -> bool:
    """Programs send neither header; browsers send both with every request that changes things."""
    origin = headers.get("origin")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return False
    return headers.get("sec-fetch-site", "none") in _OWN_SITES


async def _with_headers(inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add_headers(message)
        await send(message)

    await inner(scope, receive, send_with_headers)


def _add_headers(message: dict[str, Any] | Message) -> None:
    headers = MutableHeaders(raw=message["headers"])
    for name, value in _HEADERS.items():
        headers[name] = value
    # What is shown is somebody's own; only what bears its version in its address may be kept.
    headers.setdefault("cache-control", "no-store")
