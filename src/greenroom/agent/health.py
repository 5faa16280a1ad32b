"""How this machine is, told to the region: at each change, and a few times a minute besides.

The boot leaves a child behind that does it: a process that is there already costs no start.
Nobody watches it; a region that has heard a machine once tells when it falls silent.
"""

from __future__ import annotations

import fcntl
import os
import time

from .checks import ANSWER_S, attempt
from .errors import AgentError, one_line
from .fetch import FetchError, request
from .lean import signal
from .quick_json import dumps
from .services import supervisor
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .config import Boot
    from .paths import Paths

EVERY_S = 10.0
AGAIN_S = 2.0
"""What fails once is looked at again before it is told: a service may just be starting anew."""
SPEAK_EVERY_S = 20.0
PROBLEMS_MAX = 5
PROBLEM_CHARACTERS = 300
TELL_S = 5.0


def problems_of(config: Boot, address: str, paths: Paths) -> list[str]:
    """What is wrong with the services and the checks now; one try each."""
    watched = supervisor(paths)
    states = {name: watched.state(name) for name in config.services}
    problems = [
        f"service {name} is down" for name, state in states.items() if not (state and state.up)
    ]
    tried = (attempt(check, address, ANSWER_S) for check in config.checks)
    return problems + [problem for problem in tried if problem is not None]


def leave_reporter(config: Boot, url: str, address: str, paths: Paths) -> None:
    """Fork a child that reports for as long as the machine runs; whoever waits for the boot waits
    for nothing of it. There is one at a time, however often the boot script is run."""
    if os.fork() > 0:
        return
    code = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        # The lock goes with the process (flock(2)).
        lock = os.open(paths.boot, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        report_health(config, url, address, paths)
    except BlockingIOError:
        code = 0
    finally:
        os._exit(code)


def report_health(
    config: Boot,
    url: str,
    address: str,
    paths: Paths,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Look and tell, for as long as ``sleep`` returns."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    told: list[str] | None = None
    spoke = 0.0
    while True:
        sleep(EVERY_S)
        problems = _look(config, address, paths)
        if problems and not told:
            sleep(AGAIN_S)
            problems = _look(config, address, paths)
        late = time.monotonic() - spoke >= SPEAK_EVERY_S
        if (problems != told or late) and _tell(url, problems):
            told, spoke = problems, time.monotonic()


def _look(config: Boot, address: str, paths: Paths) -> list[str]:
    try:
        problems = problems_of(config, address, paths)
    except (AgentError, OSError) as error:
        problems = [f"its agent cannot look: {one_line(error)}"]
    return [problem[:PROBLEM_CHARACTERS] for problem in problems[:PROBLEMS_MAX]]


def _tell(url: str, problems: list[str]) -> bool:
    """Whether the region took it; else it is said again in the next round."""
    body = dumps({"problems": problems}).encode()
    try:
        answer = request("PUT", url, headers={}, body=body, timeout_s=TELL_S)
    except FetchError:
        return False
    return 200 <= answer.status < 300
