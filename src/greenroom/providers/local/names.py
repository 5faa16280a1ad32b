"""DNS inside the region: dnsmasq with one hosts file per environment.

dnsmasq notices a new file by itself (--hostsdir); a removed one it forgets at SIGHUP, and then it
also reads anew which questions the daemon answers (--servers-file, see ``service_records``).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from greenroom.errors import HostError
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Stack
from greenroom.providers.local import kernel
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import DNS_ADDRESS, Layout
from greenroom.providers.local.service_records import forwarded_names

_START_TIMEOUT_S = 10
_forwarding = threading.Lock()
Stacks = Callable[[], Sequence[Stack]]


def render_hosts(stack: Stack) -> str:
    """The environment's hosts file: every machine's names, in hosts(5) format."""
    lines = [f"{m.address} {' '.join(m.dns_names)}" for m in stack.machines]
    return "\n".join(lines) + "\n"


def dnsmasq_argv(layout: Layout) -> list[str]:
    """The command line: authoritative for everything, so nothing waits for an outside server."""
    return [
        "dnsmasq",
        "--conf-file=/dev/null",
        "--no-hosts",
        "--no-resolv",
        "--local=/#/",
        f"--hostsdir={layout.dns_dir}",
        f"--servers-file={layout.dns_servers}",
        f"--listen-address={DNS_ADDRESS}",
        "--bind-interfaces",
        f"--pid-file={pid_file(layout)}",
        f"--log-facility={layout.region.state_dir / 'dns.log'}",
    ]


def pid_file(layout: Layout) -> Path:
    """Where dnsmasq writes its pid."""
    return layout.region.run_dir / "dnsmasq.pid"


def open_names(layout: Layout) -> int:
    """Start dnsmasq unless it runs; its process. Raises HostError if it does not come up."""
    layout.dns_dir.mkdir(parents=True, exist_ok=True)
    layout.dns_dir.chmod(0o755)
    layout.dns_servers.touch()
    pid = running_pid(pid_file(layout), "dnsmasq")
    if pid is not None and kernel.is_in_network(pid, layout.namespace):
        return pid
    # One that is left in a region that is gone answers nobody.
    stop_by_pid_file(pid_file(layout), "dnsmasq")
    kernel.in_network(layout.namespace, lambda: run(dnsmasq_argv(layout), timeout_s=10))
    return wait_for_pid(pid_file(layout), "dnsmasq")


def close_names(layout: Layout) -> None:
    """Stop dnsmasq and wait until it is gone. Idempotent."""
    stop_by_pid_file(pid_file(layout), "dnsmasq")


def publish_names(layout: Layout, stack: Stack, all_stacks: Stacks) -> None:
    """Write the environment's names; complete at once, since dnsmasq reads at the rename.
    ``all_stacks`` gives those of the region, this one among them."""
    target = layout.dns_file(stack.environment)
    # dnsmasq ignores names that start with a dot, so the half-written file is never read.
    partial = target.with_name(f".{target.name}")
    partial.write_text(render_hosts(stack))
    partial.chmod(0o644)
    partial.rename(target)
    _forward(layout, all_stacks)


def withdraw_names(layout: Layout, environment: EnvironmentName, other_stacks: Stacks) -> None:
    """Remove the environment's names; the other Stacks' stay. Idempotent."""
    target = layout.dns_file(environment)
    if target.exists():
        target.unlink()
        _forward(layout, other_stacks)


def _forward(layout: Layout, stacks: Stacks) -> None:
    """Tell dnsmasq which names the daemon answers for, and to look at everything again."""
    partial = layout.dns_servers.with_suffix(".partial")
    # Environments come and go side by side: who writes last must know of all of them.
    with _forwarding:
        partial.write_text(forwarded_names(stacks()))
        partial.chmod(0o644)
        partial.rename(layout.dns_servers)
    pid = running_pid(pid_file(layout), "dnsmasq")
    if pid is not None:
        os.kill(pid, signal.SIGHUP)


def running_pid(path: Path, program: str) -> int | None:
    """The pid in the file if that process lives and is the program that we started."""
    try:
        pid = int(path.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if name == program and kernel.is_alive(pid) else None


def wait_for_pid(path: Path, program: str) -> int:
    """The pid, as soon as the program has written it. Raises HostError."""
    end = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < end:
        pid = running_pid(path, program)
        if pid is not None:
            return pid
        time.sleep(0.005)
    raise HostError(
        "E_START",
        f"{program} did not start within {_START_TIMEOUT_S} s",
        hint="greenroom doctor checks the host; then try again",
    )


def stop_by_pid_file(path: Path, program: str) -> None:
    """SIGTERM the program and wait until it has ended. Idempotent."""
    pid = running_pid(path, program)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + _START_TIMEOUT_S
        while running_pid(path, program) is not None:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
    path.unlink(missing_ok=True)
