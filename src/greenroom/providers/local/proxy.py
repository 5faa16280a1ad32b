"""The laptop's way in: HAProxy on loopback, routed by Host header.

Routes are two maps, host to address and host to port, changed while it runs through its admin
socket; nothing is ever reloaded. A third map holds the hosts of stopped environments. It runs on
the host's side, so its requests reach a machine from outside, through the same firewall as
anybody's.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from greenroom.errors import GreenroomError, HostError, OperationError
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Stack
from greenroom.providers.local.command import run
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.names import running_pid, stop_by_pid_file, wait_for_pid


def render_config(layout: Layout) -> str:
    """haproxy.cfg; map_str_ip and set-dst are in HAProxy's configuration manual, 7.3 and 4.2."""
    addresses, ports, stopped = _map_files(layout)
    host = "req.hdr(host),field(1,:),lower"
    return f"""
global
  stats socket {_admin_socket(layout)} mode 600 level admin
  maxconn 4096
  # Else a second proxy would share the port in silence, and get half of our requests.
  noreuseport
  # It reads what machines answer, so it keeps no right of root's.
  user haproxy
  group haproxy

defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  option forwardfor

frontend web
  bind 127.0.0.1:{layout.region.proxy_port}
  http-request set-var(txn.host) {host}
  http-request set-var(txn.stopped) var(txn.host),map_str({stopped})
  http-request return status 503 content-type text/plain lf-string \
"%[var(txn.stopped)] is stopped; greenroom start %[var(txn.stopped)] boots it again.\\n" \
if {{ var(txn.stopped) -m found }}
  acl routed var(txn.host),map_str({addresses}) -m found
  http-request return status 404 content-type text/plain string \
"No environment answers to this name; see greenroom list.\\n" unless routed
  default_backend machines

backend machines
  http-request set-dst var(txn.host),map_str_ip({addresses})
  http-request set-dst-port var(txn.host),map_str_int({ports})
  server machine 0.0.0.0:0
"""


class Routes:
    """The proxy and what it routes. It holds its routes in memory only, and so do we: a proxy that
    is started anew gets them from here. Thread-safe: environments come and go at once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._stacks: dict[EnvironmentName, Stack] = {}
        self._stopped: dict[EnvironmentName, Stack] = {}

    def open(self) -> int:
        """Start HAProxy with all routes unless it runs; its process. Raises HostError if its port
        is taken."""
        with self._lock:
            return self._open()

    def publish(self, stack: Stack, away: str = "") -> None:
        """Route the environment's endpoints; not to the machine ``away`` if another of its type
        can serve them. Idempotent."""
        with self._lock:
            self._stacks[stack.environment] = stack
            self._stopped.pop(stack.environment, None)
            self._open()
            self._insist(lambda: _publish(self._layout, stack, away))

    def publish_stopped(self, stack: Stack) -> None:
        """Answer for the environment's endpoints that it is stopped. Idempotent."""
        with self._lock:
            self._stacks.pop(stack.environment, None)
            self._stopped[stack.environment] = stack
            self._open()
            self._insist(lambda: _publish_stopped(self._layout, stack))

    def withdraw(self, environment: EnvironmentName) -> None:
        """Remove the environment's endpoints. Idempotent."""
        with self._lock:
            self._stacks.pop(environment, None)
            self._stopped.pop(environment, None)
            self._insist(lambda: _withdraw(self._layout, environment))

    def _open(self) -> int:
        pid, is_new = _start(self._layout)
        if is_new:
            for stack in self._stacks.values():
                _publish(self._layout, stack)
            for stack in self._stopped.values():
                _publish_stopped(self._layout, stack)
        return pid

    def _insist(self, change: Callable[[], None]) -> None:
        """Make the change; if the proxy dies over it, in another one, which begins with it."""
        try:
            change()
        except OperationError:
            if running_pid(_pid_file(self._layout), "haproxy") is not None:
                raise
            self._open()


def _start(layout: Layout) -> tuple[int, bool]:
    """The process of the proxy, and whether it was started just now, with no routes."""
    pid = running_pid(_pid_file(layout), "haproxy")
    if pid is not None:
        return pid, False
    config = layout.region.run_dir / "haproxy.cfg"
    config.write_text(render_config(layout))
    for file in _map_files(layout):
        file.write_text("")
    try:
        run(["haproxy", "-D", "-f", str(config), "-p", str(_pid_file(layout))], timeout_s=20)
    except OperationError as error:
        raise HostError(
            "E_PROXY",
            f"the proxy cannot listen on 127.0.0.1:{layout.region.proxy_port}: "
            f"{_why_not(error.message, layout.region.proxy_port)}",
            hint="free that port, or choose another: export GREENROOM_PORT=18080",
        ) from error
    return wait_for_pid(_pid_file(layout), "haproxy"), True


def _why_not(said: str, port: int) -> str:
    """The reason in what HAProxy said at its start, and who has the port (ss(8))."""
    found = re.search(r"cannot bind socket \(([^)]*)\)", said)
    if found is None:
        return said
    with contextlib.suppress(GreenroomError):
        listed = run(["ss", "-Hltnp", f"sport = :{port}"], timeout_s=10)
        holder = re.search(r'\("([^"]+)",pid=(\d+)', listed)
        if holder is not None:
            return f"{found[1]}, by {holder[1]} (process {holder[2]})"
    return found[1]


def close_proxy(layout: Layout) -> None:
    """Stop HAProxy. Idempotent."""
    stop_by_pid_file(_pid_file(layout), "haproxy")


def _publish_stopped(layout: Layout, stack: Stack) -> None:
    *_, stopped = _map_files(layout)
    _withdraw(layout, stack.environment)
    for host, _, _ in _routes(stack):
        _admin(layout, f"add map {stopped} {host} {stack.environment}")


def _publish(layout: Layout, stack: Stack, away: str = "") -> None:
    """A route that is there is changed where it stands: whoever asks meanwhile finds one."""
    addresses, ports, _ = _map_files(layout)
    wanted = _routes(stack, away)
    for host in set(routes_of(layout, stack.environment)) - {host for host, _, _ in wanted}:
        _remove_route(layout, host)
    known = [{host for host, _ in _entries(layout, which)} for which in (0, 1)]
    for host, address, port in wanted:
        _admin(layout, f"{_verb(host in known[1])} map {ports} {host} {port}")
        _admin(layout, f"{_verb(host in known[0])} map {addresses} {host} {address}")
    _withdraw_stopped(layout, stack.environment)


def _verb(there: bool) -> str:
    return "set" if there else "add"


def _withdraw(layout: Layout, environment: EnvironmentName) -> None:
    for host in routes_of(layout, environment):
        _remove_route(layout, host)
    _withdraw_stopped(layout, environment)


def _withdraw_stopped(layout: Layout, environment: EnvironmentName) -> None:
    *_, stopped = _map_files(layout)
    for host, of in _entries(layout, 2):
        if of == str(environment):
            _admin(layout, f"del map {stopped} {host}")


def _remove_route(layout: Layout, host: str) -> None:
    addresses, ports, _ = _map_files(layout)
    for file in (addresses, ports):
        _admin(layout, f"del map {file} {host}")


def routes_of(layout: Layout, environment: EnvironmentName) -> tuple[str, ...]:
    """The host names that lead to the environment now, as the proxy itself says."""
    suffix = f".{environment.slug}.{environment.stack}.localhost"
    return tuple(host for host in routed_hosts(layout) if host.endswith(suffix))


def routed_hosts(layout: Layout) -> tuple[str, ...]:
    """All host names that lead anywhere."""
    return tuple(host for host, _ in _entries(layout, 0))


def _routes(stack: Stack, away: str = "") -> list[tuple[str, str, int]]:
    """Host, address and port of each endpoint. That of a machine that is away leads to another of
    its type, which is the same but for its name; if there is none, nowhere else."""
    routes: dict[str, tuple[str, int]] = {}
    for machine in stack.machines:
        if machine.endpoint is not None:
            alike = (m for m in stack.machines if m.type == machine.type and m.name != away)
            server = next(alike, machine) if machine.name == away else machine
            target = (str(server.address), machine.endpoint.port)
            routes.setdefault(machine.endpoint.local_host, target)
    return [(host, *target) for host, target in routes.items()]


def _entries(layout: Layout, which: int) -> list[tuple[str, str]]:
    try:
        answer = _admin(layout, f"show map {_map_files(layout)[which]}")
    except OperationError:
        if running_pid(_pid_file(layout), "haproxy") is None:
            return []
        raise
    rows = [line.split() for line in answer.splitlines() if line.strip()]
    return [(row[1], row[2]) for row in rows]


def _admin(layout: Layout, command: str) -> str:
    """One command on the admin socket (HAProxy management guide, 9.3)."""
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(_admin_socket(layout)))
            connection.sendall(command.encode() + b"\n")
            while chunk := connection.recv(65536):
                answer += chunk
    except OSError as error:
        raise OperationError(
            "E_PROXY",
            f"the proxy does not answer on {_admin_socket(layout)}: {error}",
            hint="if it does not come back by itself, greenroom serve --stop and start again",
        ) from error
    return answer.decode()


def _map_files(layout: Layout) -> tuple[Path, Path, Path]:
    """Host to address, host to port, and host to the stopped environment."""
    run_dir = layout.region.run_dir
    first, second, third = (
        run_dir / f"proxy-{name}.map" for name in ("addresses", "ports", "stopped")
    )
    return first, second, third


def _pid_file(layout: Layout) -> Path:
    return layout.region.run_dir / "haproxy.pid"


def _admin_socket(layout: Layout) -> Path:
    return layout.region.run_dir / "haproxy.sock"
