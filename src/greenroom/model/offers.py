"""What a machine offers, by name and port (pure)."""

from __future__ import annotations

from greenroom.model.stack import CommandCheck, HttpCheck, Machine, TcpCheck

_KNOWN_PORTS = {
    22: "ssh",
    25: "smtp",
    53: "domain",
    80: "http",
    443: "https",
    3306: "mysql",
    5432: "postgresql",
    6379: "redis",
    11211: "memcache",
}
"""The names of ports as IANA's registry of services has them, of those that stacks offer."""


def services_of(machine: Machine) -> tuple[tuple[str, int], ...]:
    """What the machine offers, by name and port: its endpoint and what its checks ask.

    A port without a name that everybody knows is called by its number: ``p9100`` (RFC 6335 wants
    a letter in a service's name).
    """
    found: dict[int, str] = {}
    if machine.endpoint is not None:
        found[machine.endpoint.port] = "http"
    for check in machine.checks:
        match check:
            case HttpCheck(port=port):
                found[port] = "http"
            case TcpCheck(port=port):
                found.setdefault(port, _KNOWN_PORTS.get(port, f"p{port}"))
            case CommandCheck():
                pass
    return tuple((name, port) for port, name in sorted(found.items()))
