"""What a destroy removed, and what the host still holds of the environment afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ResourceKind(StrEnum):
    """Everything that an environment can leave on a host."""

    NAMESPACE = "network namespace"
    LINK = "link"
    NFT = "nft object"
    MOUNT = "mount"
    CGROUP = "cgroup"
    PROCESS = "process"
    CONTAINER = "container"
    DIRECTORY = "directory"
    DNS = "dns file"
    ROUTE = "proxy route"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Resource:
    """A thing on the host that bears an environment's name; ``name`` is how the host calls it."""

    kind: ResourceKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``left_over`` is observed after the removal by looking at the host, not at our records."""

    environment: str
    removed: tuple[Resource, ...]
    left_over: tuple[Resource, ...]
    seconds: float
