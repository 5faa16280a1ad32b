"""Is the machine what it should be? Asked until the answer is yes, a deadline or a death."""

from __future__ import annotations

import time

from .backoff import tries
from .command import run
from .config import CommandCheck, HttpCheck, TcpCheck
from .errors import AgentError, one_line
from .fetch import FetchError, connected, request
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .config import Check

ANSWER_S = 5.0
ENOUGH_S = 1.0
ALIVE_EVERY_S = 0.05
"""Asking the supervisor costs a process, so it is asked less often than the service itself."""


def run_checks(checks: Sequence[Check], address: str, alive: Callable[[], None]) -> None:
    """Wait until every check holds; all their deadlines run from now. Raises AgentError.

    ``address`` is the machine's own, as others see it: what listens on loopback only is not
    there for them. ``alive`` raises when a service has died, which is the better reason.
    """
    started = time.monotonic()
    for check in checks:
        _wait_for(check, address, started + check.deadline_s, alive)
    alive()


def _wait_for(check: Check, address: str, deadline: float, alive: Callable[[], None]) -> None:
    answer, asked_alive = "", time.monotonic()
    for left_s in tries(deadline):
        # A command may take all the time there is; a service that is there answers soon.
        longest_s = left_s if isinstance(check, CommandCheck) else min(left_s, ANSWER_S)
        problem = attempt(check, address, max(longest_s, 0.1))
        if problem is None:
            return
        # The last try may have had no time to say more than that it had none.
        if left_s > ENOUGH_S or not answer:
            answer = problem
        if time.monotonic() - asked_alive > ALIVE_EVERY_S:
            alive()
            asked_alive = time.monotonic()
    alive()
    raise AgentError(f"{answer} for {check.deadline_s:g} s")


def attempt(check: Check, address: str, timeout_s: float) -> str | None:
    """One try: None if the check holds, else what was seen, to be followed by «for 60 s»."""
    if isinstance(check, HttpCheck):
        return _http(check, address, timeout_s)
    if isinstance(check, TcpCheck):
        return _tcp(check, address, timeout_s)
    return _command(check, timeout_s)


def _http(check: HttpCheck, address: str, timeout_s: float) -> str | None:
    asked = f"GET {check.path} on port {check.port}"
    try:
        answer = request("GET", f"http://{address}:{check.port}{check.path}", timeout_s=timeout_s)
    except FetchError as error:
        return f"{asked} got no answer ({error})"
    if answer.status != check.status:
        return f"{asked} answered {answer.status} (wanted {check.status})"
    if check.contains not in answer.text:
        return f"{asked} answered {answer.status} without {check.contains!r} in its body"
    return None


def _tcp(check: TcpCheck, address: str, timeout_s: float) -> str | None:
    try:
        connected(address, check.port, timeout_s).close()
    except OSError as error:
        return f"port {check.port} did not accept a connection ({one_line(error)})"
    return None


def _command(check: CommandCheck, timeout_s: float) -> str | None:
    asked = f"the command {' '.join(check.argv)!r}"
    try:
        done = run(check.argv, timeout_s=timeout_s)
    except AgentError as error:
        return f"{asked} could not be run ({error})"
    if done.code != 0:
        said = f": {done.said[-300:]}" if done.said else ""
        return f"{asked} exited with {done.code} (wanted 0{said})"
    return None
