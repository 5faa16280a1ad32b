"""What the region has set aside for an environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from greenroom.plan.addresses import subnet_of

DEFAULT_REGION_CIDR = IPv4Network("10.213.0.0/16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The part of a plan that neither blueprint nor request decides.

    ``index`` (0 to 254) picks the environment's subnet of ``region_cidr`` (a /16) and its user
    ids. ``secret`` is the region's; tokens and ids are derived from it. ``taken`` maps the slugs
    in use to their raw branches. ``agent_sha256`` (hex) is the agent that machines shall run.
    """

    index: int
    secret: str = field(repr=False)
    taken: Mapping[str, str]
    agent_sha256: str
    region_cidr: IPv4Network = DEFAULT_REGION_CIDR

    @property
    def subnet(self) -> IPv4Network:
        """The /24 of the environment."""
        return subnet_of(self.region_cidr, self.index)
