"""Where an instance's image comes from, as a launch template says it."""

from __future__ import annotations

from greenroom.model.cloud import Ami

_DEBIANS_OWN = "/aws/service/debian/"
"""Debian's public parameters (wiki.debian.org, Cloud/AmazonEC2Image)."""


def image_id(ami: Ami) -> str:
    """The launch template's ImageId. EC2 itself looks the parameter up as it launches, so a new
    AMI of that name changes no stack (ADR 26)."""
    assert (ami.id is None) is not (ami.parameter is None), ami
    return ami.id if ami.id is not None else f"resolve:ssm:{ami.parameter}"


def is_bare(ami: Ami) -> bool:
    """Whether the machine installs its packages as it boots."""
    return ami.parameter is not None and ami.parameter.startswith(_DEBIANS_OWN)
