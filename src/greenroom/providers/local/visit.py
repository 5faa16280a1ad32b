"""Reading an endpoint once, as a client on this host would: through the proxy, by its name."""

from __future__ import annotations

import http.client
import time

from greenroom.model.stack import HttpCheck, Machine
from greenroom.model.visits import Answer

TIMEOUT_S = 5.0
"""A person has gone by then; the proxy gives an answer of its own after three."""
_BODY_BYTES = 1 << 20
_OF_THE_PROXY = {502: "502", 503: "503", 504: "504"}
"""What HAProxy says for want of a server (its configuration manual, 1.3.1)."""


def visit_endpoint(proxy_port: int, machine: Machine) -> Answer:
    """GET what the check of the endpoint's port asks for (``/`` if there is none), and hold the
    answer against that check."""
    began = time.monotonic()
    fault = _fault(proxy_port, machine)
    return Answer(fault=fault, seconds=time.monotonic() - began)


def judged(status: int, body: bytes, check: HttpCheck | None) -> str:
    """What is wrong with an answer; empty if it is what the check wants (pure)."""
    if check is None:
        return _OF_THE_PROXY.get(status, "wrong content" if status >= 500 else "")
    if status == check.status and check.contains.encode() in body:
        return ""
    return _OF_THE_PROXY.get(status, "wrong content")


def _fault(proxy_port: int, machine: Machine) -> str:
    endpoint = machine.endpoint
    if endpoint is None:
        raise ValueError(f"{machine.name} has no endpoint")
    on_port = (c for c in machine.checks if isinstance(c, HttpCheck) and c.port == endpoint.port)
    check = next(on_port, None)
    connection = http.client.HTTPConnection("127.0.0.1", proxy_port, timeout=TIMEOUT_S)
    try:
        path = "/" if check is None else check.path
        host = f"{endpoint.local_host}:{proxy_port}"
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        answer = connection.getresponse()
        return judged(answer.status, answer.read(_BODY_BYTES), check)
    except ConnectionRefusedError:
        return "connection refused"
    except TimeoutError:
        return "timeout"
    except (OSError, http.client.HTTPException):
        return "connection broken"
    finally:
        connection.close()
