"""What a person asks for, parsed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """``greenroom create``.

    ``machines`` are the words of ``--machines`` (``backend``, ``backend=2``); empty means every
    type of the blueprint that is not shared. ``shared`` are those of ``--shared``; with any of
    them the stack's shared environment is meant, and ``machines`` and ``branch`` say nothing.
    ``branch`` None means the default branch.
    ``owner`` is whom the environment is for, None whoever asks; ``ttl_s`` is how long it lives,
    None as the blueprint says.
    ``restore`` maps a data name to ``SOURCE``, ``SOURCE:cold`` or ``none``; what it does not
    name gets the blueprint's default. ``mounts`` maps a machine type to a host directory.
    """

    blueprint: Path
    machines: tuple[str, ...] = ()
    branch: str | None = None
    restore: tuple[tuple[str, str], ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()
    shared: tuple[str, ...] = ()
    owner: str | None = None
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """``greenroom deploy ENV [TYPE …]``: a new artifact on a running environment."""

    environment: str
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyRequest:
    """``greenroom destroy ENV``; ``confirm`` repeats the name when ENV is production."""

    environment: str
    confirm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverRequest:
    """``greenroom recover ENV``: boot again what does not run. The daemon asks for it by itself
    too; then ``reason`` says what it met, ``since`` when, and
    ``delay_s`` how long it waits before it begins."""

    environment: str
    reason: str = ""
    delay_s: float = 0.0
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """``greenroom stop ENV``: end its machines, keep what they hold."""

    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """``greenroom start ENV``: boot a stopped one from its own disks."""

    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceRequest:
    """``greenroom replace ENV MACHINE…``, or ``--stateless``: all machines without a data volume.
    ``confirm`` repeats the name when ENV is production."""

    environment: str
    machines: tuple[str, ...] = ()
    stateless: bool = False
    confirm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRequest:
    """``greenroom drill ENV``: restore every data source cold, beside the environment. With
    ``throw_away`` instead: replace each stateless machine in turn while a client reads the
    endpoints."""

    environment: str
    throw_away: bool = False
    confirm: str | None = None


Request = (
    CreateRequest
    | DeployRequest
    | DestroyRequest
    | RecoverRequest
    | StopRequest
    | StartRequest
    | ReplaceRequest
    | DrillRequest
)
