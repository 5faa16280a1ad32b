"""What a host holds, seen by name, and what of it belongs to nobody."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The environments that anything on the host bears the name of (sorted), and what bears the
    region's name without any environment's (``strangers``, sorted)."""

    environments: tuple[EnvironmentName, ...]
    strangers: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """What the host holds of an environment that the ledger does not have.

    ``environment`` is ``stack/slug``, None for what names no environment. ``ended``: the ledger
    knows that there was one and that it is gone, so this is what is left of it.
    """

    environment: str | None
    ended: bool
    resources: tuple[Resource, ...]
