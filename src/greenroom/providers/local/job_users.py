"""Who a job's program on the control plane is: a user of this host, or nobody else at all."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from greenroom.errors import OperationError

FIRST_JOB_UID = 0x70000000
"""Above all that machines' user namespaces may have (``plan.addresses.UID_BASE``), and above what
systemd gives to containers (systemd.io, "Users, Groups, UIDs and GIDs on systemd systems")."""
JOB_UIDS = 1 << 28
"""So many that none comes again in practice: what an execution leaves in /tmp stays nobody's. They
end below 2³¹, past which some file systems and programs take one for negative."""


class JobUids:
    """The user ids that executions have each for itself: who shares one reads the environment of
    the other in /proc, with its secrets, and can end it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lent: set[int] = set()

    def lend(self) -> int:
        """One that nobody has. Regions of a host know nothing of each other, hence the chance."""
        with self._lock:
            while (uid := FIRST_JOB_UID + secrets.randbelow(JOB_UIDS - 1)) in self._lent:
                pass
            self._lent.add(uid)
            return uid

    def give_back(self, uid: int) -> None:
        """When no process has it any more. Any other is no matter."""
        with self._lock:
            self._lent.discard(uid)


@contextlib.contextmanager
def opened_folder(folder: str) -> Iterator[int]:
    """A descriptor of the folder itself, reached through no symbolic link: its owner is looked up
    and the program begun in one and the same, whatever is put in its place meanwhile.

    ``folder`` is absolute. Raises OperationError E_JOB_START.
    """
    with contextlib.ExitStack() as undo:
        try:
            found = _open("/", None, undo)
            for part in Path(folder).parts[1:]:
                found = _open(part, found, undo)
        except OSError as error:
            raise not_started(folder, error) from error
        yield found


def _open(part: str, above: int | None, undo: contextlib.ExitStack) -> int:
    found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)
    undo.callback(os.close, found)
    return found


def named_uid(user: str) -> int:
    """The id of this host's ``user``; raises OperationError E_JOB_START."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise OperationError(
            "E_JOB_START",
            f"the job cannot be started: this host has no user {user!r}",
            hint="mend the definition and run greenroom job register",
        ) from error


def not_started(folder: str, error: OSError) -> OperationError:
    """That the program could not begin in ``folder``."""
    return OperationError(
        "E_JOB_START",
        f"the job cannot be started in {folder}: {error.strerror}",
        hint="where the blueprint lies elsewhere now, greenroom job register -f tells so",
    )


def home_of(uid: int) -> dict[str, str]:
    """What a login would put into the environment."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return {"HOME": "/nonexistent", "USER": str(uid)}
    return {"HOME": entry.pw_dir, "USER": entry.pw_name}


def setpriv_argv(uid: int) -> list[str]:
    """What stands before a command so that it is ``uid``, and no more than that."""
    argv = ["setpriv", "--pdeathsig", "KILL"]
    if uid == 0:
        return [*argv, "--"]
    try:
        group, groups = pwd.getpwuid(uid).pw_gid, "--init-groups"
    except KeyError:
        group, groups = uid, "--clear-groups"
    return [*argv, f"--reuid={uid}", f"--regid={group}", groups, "--no-new-privs", "--"]
