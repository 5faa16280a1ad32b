"""Who is at the other end of the daemon's unix socket."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The credentials that the kernel vouches for (SO_PEERCRED, unix(7))."""

    pid: int
    uid: int
    gid: int
