"""The folders of developer mode: what must be there before anything is made."""

from __future__ import annotations

from greenroom.errors import InputError
from greenroom.model.stack import Machine


def require_mount(machine: Machine) -> None:
    """Raises InputError E_MOUNT if the folder that stands for the machine's code is none."""
    if machine.mount is not None and not machine.mount.is_dir():
        raise InputError(
            "E_MOUNT",
            f"--mount {machine.type}={machine.mount}: there is no such folder",
            hint="give the folder that holds the code",
        )
