"""What the machine is called, and how it finds others by short names such as `db`."""

from __future__ import annotations

import os

from .command import run
from .errors import AgentError
from .facts import read_file, write_file
from .lean import socket
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .paths import Paths

RESTART_S = 30.0
KEEP_HOSTNAME = "/etc/cloud/cloud.cfg.d/99-greenroom.cfg"
RESOLVED_DROP_IN = "/etc/systemd/resolved.conf.d/greenroom.conf"
DHCLIENT = "/etc/dhcp/dhclient.conf"


def set_hostname(name: str, paths: Paths) -> None:
    """Call the machine ``name`` now and at later boots; raises AgentError."""
    if os.uname().nodename == name:
        return
    try:
        socket.sethostname(name)
    except OSError as error:
        raise AgentError(f"cannot name the machine {name}: {error.strerror}") from error
    write_file(paths.at("/etc/hostname"), f"{name}\n")
    if os.path.isdir(paths.at("/etc/cloud")):
        write_file(paths.at(KEEP_HOSTNAME), "preserve_hostname: true\n")


def set_search_domain(domain: str, paths: Paths) -> None:
    """Let short names be looked up in ``domain``; raises AgentError.

    A resolver's own configuration is changed where there is one: it writes resolv.conf anew.
    """
    if os.path.exists(paths.at("/run/systemd/resolve/resolv.conf")):
        _tell_resolved(domain, paths)
        return
    if os.path.exists(paths.at(DHCLIENT)):
        _tell_dhclient(domain, paths)
    path = paths.at("/etc/resolv.conf")
    text = read_file(path)
    wanted = with_search(text, domain)
    if wanted != text:
        # In place: the file may be a mount or a link of whoever made the machine.
        with open(path, "w", encoding="utf-8") as file:
            file.write(wanted)


def _tell_resolved(domain: str, paths: Paths) -> None:
    path, text = paths.at(RESOLVED_DROP_IN), f"[Resolve]\nDomains={domain}\n"
    if read_file(path) == text:
        return
    write_file(path, text)
    done = run(["systemctl", "restart", "systemd-resolved"], timeout_s=RESTART_S)
    if done.code != 0:
        raise AgentError(f"systemd-resolved does not take the search domain: {done.said}")


def _tell_dhclient(domain: str, paths: Paths) -> None:
    """At each renewed lease dhclient writes resolv.conf anew (dhclient.conf(5))."""
    path, line = paths.at(DHCLIENT), f'prepend domain-search "{domain}";\n'
    text = read_file(path)
    if line not in text:
        write_file(path, f"{text.rstrip()}\n{line}")


def with_search(text: str, domain: str) -> str:
    """resolv.conf with ``domain`` searched first; the last such line is the one that counts, so
    there is one only (resolv.conf(5); pure)."""
    lines = text.splitlines()
    found = [line.split()[1:] for line in lines if line.split()[:1] in (["search"], ["domain"])]
    searched = found[-1] if found else []
    if domain in searched:
        return text
    kept = [line for line in lines if line.split()[:1] not in (["search"], ["domain"])]
    return "\n".join([*kept, " ".join(["search", domain, *searched]), ""])
