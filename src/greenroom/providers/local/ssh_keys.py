"""The region's keys for ssh: one pair to log in with, one for the server, made when first asked
for and gone with the next reboot.

They give nobody more than they had: only root can read them, and the server that knows them is
one that root starts for one connection. See ``greenroom.cli.commands.ssh_proxy``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from greenroom.providers.local.command import run
from greenroom.providers.local.pool import remove_tree

IDENTITY = "id_ed25519"
HOST_KEY = "host_ed25519"
KNOWN_HOSTS = "known_hosts"
SERVER_CONFIG = "sshd_config"
_KEYGEN_TIMEOUT_S = 10


def ensure_keys(folder: Path, host_key_alias: str) -> None:
    """Make the folder with all four files unless it is there. Raises HostError if there is no
    ssh-keygen.

    It appears whole: who finds it half made would otherwise fail, or make other keys.
    """
    if folder.is_dir():
        return
    made = Path(tempfile.mkdtemp(prefix=".ssh-", dir=folder.parent))
    for name in (IDENTITY, HOST_KEY):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "greenroom"]
        run([*argv, "-f", str(made / name)], timeout_s=_KEYGEN_TIMEOUT_S)
    host_key = (made / f"{HOST_KEY}.pub").read_text()
    (made / KNOWN_HOSTS).write_text(f"{host_key_alias} {host_key}")
    (made / SERVER_CONFIG).write_text(server_config(folder))
    try:
        made.rename(folder)
    except OSError:
        # Somebody else was quicker.
        if not folder.is_dir():
            raise
        remove_tree(made)


def server_config(folder: Path) -> str:
    """sshd_config(5): only the region's own key opens it, and it forwards nothing, since what it
    reached would be the host's and not the machine's."""
    return "\n".join(
        (
            f"HostKey {folder / HOST_KEY}",
            f"AuthorizedKeysFile {folder / IDENTITY}.pub",
            "AuthenticationMethods publickey",
            "AllowUsers root",
            "PermitRootLogin prohibit-password",
            "DisableForwarding yes",
            "PermitUserRC no",
            "PermitUserEnvironment no",
            "UsePAM no",
            "PrintMotd no",
            "PrintLastLog no",
            "PidFile none",
            "LogLevel ERROR",
            "",
        )
    )
