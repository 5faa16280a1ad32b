"""Who is killed in a soak, and how his process is found. Always SIGKILL: nobody can prepare."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

from tests.real.reboot import machine_pids
from tests.real.site import RUN

Find = Callable[[random.Random], list[int]]


def kill(target: str, chance: random.Random) -> bool:
    """Kill one process of that kind; False if there is none at this moment."""
    found = TARGETS[target](chance)
    if not found:
        return False
    try:
        os.kill(chance.choice(found), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _pid_in(name: str) -> Find:
    def find(_: random.Random) -> list[int]:
        with contextlib.suppress(OSError, ValueError):
            return [int((RUN / name).read_text())]
        return []

    return find


def _inside(wanted: Callable[[list[str]], bool]) -> Find:
    def find(_: random.Random) -> list[int]:
        return sorted(pid for pid in machine_pids() if wanted(_words(pid)))

    return find


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return [""]


def _is_service(words: list[str]) -> bool:
    program = words[0].rpartition("/")[2]
    return program.startswith(("mariadbd", "redis-server", "nginx: master", "php-fpm: master"))


TARGETS: dict[str, Find] = {
    "daemon": _pid_in("daemon.lock"),
    "dnsmasq": _pid_in("dnsmasq.pid"),
    "haproxy": _pid_in("haproxy.pid"),
    "machine": _inside(lambda words: words[0].endswith("s6-svscan")),
    "supervisor": _inside(lambda words: words[0].endswith("s6-supervise")),
    "service": _inside(_is_service),
}
"""By kind; the command line itself is killed by whoever started it."""
COMMAND_LINE = "command line"
