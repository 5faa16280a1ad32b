"""``greenroom ssh-proxy`` and ``greenroom ssh-session``: what the real ssh reaches machines by.

Machines run no sshd. ssh starts the proxy in the place of a connection; the proxy becomes an sshd
of the host that serves this one connection on its standard streams, and can do nothing but run
``ssh-session``, which becomes the command in the machine, as ``greenroom exec`` does. So nothing
listens anywhere, and who may get in is who may ask the daemon.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from greenroom.cli.connect import connect
from greenroom.cli.declare import Argument, command
from greenroom.cli.inside import SHELL_ARGV, become
from greenroom.cli.program import program_line
from greenroom.errors import HostError
from greenroom.region import Region

_PRIVILEGE_SEPARATION = "/run/sshd"
"""sshd's own; its unit makes it where it runs as a service (sshd(8), FILES)."""


@command(
    "ssh-proxy", Argument("environment", metavar="ENV"), Argument("machine", metavar="MACHINE")
)
def ssh_proxy(environment: str, machine: str) -> None:
    """Serve one ssh connection on the standard streams (for ProxyCommand)."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if sshd is None:
        raise HostError(
            "E_SSHD",
            "there is no sshd on this host, which ssh into machines is served by",
            hint="apt-get install openssh-server; it need not run",
        )
    config = Region.from_environment().ssh_dir / "sshd_config"
    if not config.is_file():
        raise HostError(
            "E_SSH_KEYS",
            f"{config} is not there any more",
            hint="greenroom inventory --format ssh makes new keys and prints what ssh reads",
        )
    Path(_PRIVILEGE_SEPARATION).mkdir(mode=0o755, exist_ok=True)
    session = f"{program_line()} ssh-session {shlex.join([environment, machine])}"
    become([sshd, "-i", "-e", "-f", str(config), "-o", f"ForceCommand={session}"])


@command(
    "ssh-session", Argument("environment", metavar="ENV"), Argument("machine", metavar="MACHINE")
)
def ssh_session(environment: str, machine: str) -> None:
    """Run in a machine what an ssh client asked for, or a shell."""
    asked = os.environ.get("SSH_ORIGINAL_COMMAND")
    argv = SHELL_ARGV if asked is None else ("/bin/sh", "-c", asked)
    tty = "SSH_TTY" in os.environ
    become(connect().command(environment, machine, argv, tty=tty))
