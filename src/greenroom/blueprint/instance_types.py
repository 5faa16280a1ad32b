"""What an AWS instance type holds, so that a local machine gets the same memory.

Figures from https://aws.amazon.com/ec2/instance-types/ and, for the previous generation (c3, m3),
https://aws.amazon.com/ec2/previous-generation/.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_INSTANCE_TYPE = "t3.small"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """The size of a machine; ``vcpu`` counts hardware threads."""

    vcpu: int
    memory_mib: int


_FAMILY_SIZES = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}
"""vCPUs of the sizes that the m, c and r families share."""

_FAMILY_MEMORY_GIB_PER_VCPU = {
    "m5": 4,
    "m6i": 4,
    "m7g": 4,
    "m7i": 4,
    "c5": 2,
    "c6i": 2,
    "c7g": 2,
    "c7i": 2,
    "r5": 8,
    "r6i": 8,
    "r7g": 8,
    "r7i": 8,
}

_BURSTABLE = {
    "nano": InstanceType(vcpu=2, memory_mib=512),
    "micro": InstanceType(vcpu=2, memory_mib=1024),
    "small": InstanceType(vcpu=2, memory_mib=2048),
    "medium": InstanceType(vcpu=2, memory_mib=4096),
    "large": InstanceType(vcpu=2, memory_mib=8192),
    "xlarge": InstanceType(vcpu=4, memory_mib=16384),
    "2xlarge": InstanceType(vcpu=8, memory_mib=32768),
}


def _instance_types() -> dict[str, InstanceType]:
    types = {f"{family}.{size}": it for family in ("t3", "t4g") for size, it in _BURSTABLE.items()}
    # Of these families only Graviton's have a size below "large".
    for family in ("m7g", "c7g", "r7g"):
        memory_mib = _FAMILY_MEMORY_GIB_PER_VCPU[family] * 1024
        types[f"{family}.medium"] = InstanceType(vcpu=1, memory_mib=memory_mib)
    for family, gib_per_vcpu in _FAMILY_MEMORY_GIB_PER_VCPU.items():
        for size, vcpu in _FAMILY_SIZES.items():
            memory_mib = vcpu * gib_per_vcpu * 1024
            types[f"{family}.{size}"] = InstanceType(vcpu=vcpu, memory_mib=memory_mib)
    types["m3.medium"] = InstanceType(vcpu=1, memory_mib=3840)
    types["c3.large"] = InstanceType(vcpu=2, memory_mib=3840)
    return types


INSTANCE_TYPES = _instance_types()
"""Every instance type that a blueprint may name."""
