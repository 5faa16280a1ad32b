"""The two systemd units of an instance: the supervisor of its services, and the agent at later
boots. Where systemd does not run, whoever is the first process does both (sd_booted(3))."""

from __future__ import annotations

import os

from .command import STANDARD_PATH, run
from .errors import AgentError
from .facts import AGENT_FILE, write_file
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .paths import Paths

UNITS = "/etc/systemd/system"
SUPERVISOR = "greenroom-services.service"
LATER_BOOTS = "greenroom-boot.service"
LOG = "/var/log/greenroom/user-data"
CONTROL_S = 60.0

SUPERVISOR_UNIT = f"""\
[Unit]
Description=greenroom: supervises the services of this machine

[Service]
ExecStart=/usr/bin/s6-svscan /etc/greenroom/service
Environment=PATH={STANDARD_PATH} HOME=/root LANG=C.UTF-8
LimitNOFILE=65536
Restart=always
# A service that runs out of memory is s6's to start again, not a reason to end all of them.
OOMPolicy=continue
# The end of s6-svscan ends the services in order; what is left after that is killed.
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""

LATER_BOOTS_UNIT = f"""\
[Unit]
Description=greenroom: boots this machine again, after cloud-init has booted it for the first time
Wants=network-online.target {SUPERVISOR}
After=network-online.target cloud-init.service {SUPERVISOR}
ConditionPathExists=/etc/greenroom/boot.json

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/python3 -I -S {AGENT_FILE} boot
StandardOutput=append:{LOG}/current
StandardError=inherit
# The agent keeps its own deadline.
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""


def systemd_runs(paths: Paths) -> bool:
    """Whether systemd is the first process (sd_booted(3))."""
    return os.path.isdir(paths.at("/run/systemd/system"))


def boot_again_after_a_reboot(paths: Paths) -> None:
    """cloud-init runs user data once in an instance's life, so later boots are this unit's.

    It is enabled and not started: the boot of now is under way. Raises AgentError.
    """
    if systemd_runs(paths):
        os.makedirs(paths.at(LOG), exist_ok=True)
        _enable(LATER_BOOTS, LATER_BOOTS_UNIT, paths)


def start_supervisor(paths: Paths) -> None:
    """Let s6 run now and at later boots; raises AgentError."""
    if systemd_runs(paths):
        _enable(SUPERVISOR, SUPERVISOR_UNIT, paths)
        _systemctl("start", SUPERVISOR)
        if os.path.exists(f"{paths.services}/.s6-svscan/control"):
            # It may have been there before the services were: it looks once, at its start.
            run(["s6-svscanctl", "-a", paths.services], timeout_s=CONTROL_S)


def _enable(name: str, text: str, paths: Paths) -> None:
    path = paths.at(f"{UNITS}/{name}")
    try:
        with open(path, encoding="utf-8") as file:
            known = file.read() == text
    except FileNotFoundError:
        known = False
    if not known:
        write_file(path, text)
        _systemctl("daemon-reload")
    _systemctl("enable", name)


def _systemctl(*words: str) -> None:
    done = run(["systemctl", *words], timeout_s=CONTROL_S)
    if done.code != 0:
        raise AgentError(f"systemctl {' '.join(words)} failed: {done.said}")
