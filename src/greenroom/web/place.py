"""Where API and page answer by TCP."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from greenroom.errors import UsageError
from greenroom.region import Region

LOOPBACK = "127.0.0.1"
PAGE_NAME = "greenroom.localhost"
"""A name of the page alone: what a browser keeps for it goes to no environment (RFC 6761 has it
resolve to the loopback)."""
HOSTS_VARIABLE = "GREENROOM_WEB_HOSTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPlace:
    """``url`` is None where the port could not be had; then ``notice`` says why."""

    url: str | None
    notice: str = ""

    @property
    def page_url(self) -> str | None:
        """The same place under the page's own name, for browsers."""
        return None if self.url is None else self.url.replace(LOOPBACK, PAGE_NAME)


def open_web(region: Region) -> tuple[socket.socket | None, WebPlace]:
    """Listen on the region's port for API and page. That somebody else has the port is no reason
    not to serve the unix socket, so it is told and not raised."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A daemon that was restarted gets its port back although old connections linger (socket(7)).
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, region.web_port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        notice = (
            f"no page is served: port {region.web_port} of {LOOPBACK} cannot be had "
            f"({error.strerror}); GREENROOM_WEB_PORT names another one"
        )
        return None, WebPlace(url=None, notice=notice)
    return listener, WebPlace(url=f"http://{LOOPBACK}:{region.web_port}")


def further_hosts() -> tuple[str, ...]:
    """The names in GREENROOM_WEB_HOSTS, by commas; raises UsageError E_WEB_HOSTS."""
    text = os.environ.get(HOSTS_VARIABLE, "")
    hosts = tuple(host.strip() for host in text.split(",") if host.strip())
    for host in hosts:
        if not host.replace("-", "").replace(".", "").isalnum() or not host.isascii():
            raise UsageError(
                "E_WEB_HOSTS",
                f"{HOSTS_VARIABLE} has {host!r}: expected host names without ports, by commas",
                hint=f"such as {HOSTS_VARIABLE}=greenroom.example.com",
            )
    return hosts
