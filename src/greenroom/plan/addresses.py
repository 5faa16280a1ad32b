"""Where the machines of an environment stand in the region: addresses, user ids, identities."""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import IPv4Address, IPv4Network

from greenroom.model.names import EnvironmentName

FIRST_MACHINE = 10
"""Last octet of the first machine; what is below belongs to the region."""
FIRST_DRILL = 70
DRILLS_MAX = 10

UID_BASE = 0x30000000
UIDS_PER_MACHINE = 65536
_UID_SLOTS_PER_ENVIRONMENT = 64
_FIRST_DRILL_SLOT = 50
"""Drills come after the 50 machines that an environment may have."""

INDEX_MAX = 254
"""The last /24 of the region is its link to the host."""


def subnet_of(region_cidr: IPv4Network, index: int) -> IPv4Network:
    """The /24 of the environment with this index, 0 to 254."""
    assert 0 <= index <= INDEX_MAX, index
    assert region_cidr.prefixlen == 16, region_cidr
    return IPv4Network((int(region_cidr.network_address) + index * 256, 24))


def machine_address(subnet: IPv4Network, position: int) -> IPv4Address:
    """The address of the machine at ``position`` (from 0) in the Stack."""
    return subnet.network_address + FIRST_MACHINE + position


def drill_address(subnet: IPv4Network, position: int) -> IPv4Address:
    """The address of the drill at ``position`` (from 0) in the Stack."""
    return subnet.network_address + FIRST_DRILL + position


def machine_uid_base(index: int, position: int) -> int:
    """The first host uid of a machine's user namespace; no two machines of a host share one."""
    return UID_BASE + (index * _UID_SLOTS_PER_ENVIRONMENT + position) * UIDS_PER_MACHINE


def drill_uid_base(index: int, position: int) -> int:
    """The same for a drill."""
    return machine_uid_base(index, _FIRST_DRILL_SLOT + position)


def instance_id(secret: str, environment: EnvironmentName, machine: str) -> str:
    """An id in EC2's form, the same for every plan of this machine."""
    # Separators, because "a" + "bc" and "ab" + "c" are different machines.
    text = f"{secret}/{environment}/{machine}"
    return f"i-{hashlib.sha256(text.encode()).hexdigest()[:17]}"


def signal_token(secret: str, environment: EnvironmentName, machine: str) -> str:
    """The part of a wait handle's URL that only the machine and the region know."""
    message = f"{environment}/{machine}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
