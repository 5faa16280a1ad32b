"""A browser as far as HTTP goes: it keeps cookies and finds `….localhost` at the proxy's port."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from tests.real.site import PORT


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; ``url`` is where the last redirect led."""

    status: int
    url: str
    content: bytes

    @property
    def text(self) -> str:
        """The content as UTF-8."""
        return self.content.decode()


class Visitor:
    """One person on one site."""

    def __init__(self, host: str) -> None:
        self.base = f"http://{host}:{PORT}"
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Page:
        """GET a path or an absolute URL of this site, and follow where it leads."""
        return self._ask("GET", path, b"", {})

    def post_form(self, path: str, fields: dict[str, str]) -> Page:
        """Submit a form, and follow where it leads."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields).encode(), kind)

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> Page:
        """Send bytes."""
        return self._ask("POST", path, content, headers)

    def _ask(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Page:
        url = path if path.startswith("http") else f"{self.base}{path}"
        for _ in range(5):
            # What leads elsewhere, to production say, would not be this site's answer.
            assert url.startswith(f"{self.base}/"), f"{url} is not on {self.base}"
            status, aim, body = self._once(method, url, content, headers)
            if aim is None:
                return Page(status, url, body)
            url = aim if aim.startswith("http") else f"{self.base}{aim}"
            method, content, headers = "GET", b"", {}
        raise AssertionError(f"{url} leads in a circle")

    def _once(
        self, method: str, url: str, content: bytes, headers: dict[str, str]
    ) -> tuple[int, str | None, bytes]:
        parts = urlsplit(url)
        sent = {"Host": parts.netloc, **headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body=content or None, headers=sent)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or []:
                self.cookies |= {name: part.value for name, part in SimpleCookie(line).items()}
            # A 201 has a location too, but does not lead there.
            aim = answer.headers.get("Location") if answer.status in (301, 302, 303) else None
            return answer.status, aim, answer.read()
        finally:
            connection.close()
