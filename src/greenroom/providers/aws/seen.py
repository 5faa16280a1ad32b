"""Instances and volumes that bear our tags, as EC2 has them: one paginated listing of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenroom.model.cloud_views import Power, SeenInstance, SeenVolume
from greenroom.providers.aws.session import Account
from greenroom.providers.aws.tags import ENVIRONMENT_TAG, MACHINE_TAG, tags_of

LOGICAL_ID_TAG = "aws:cloudformation:logical-id"
"""CloudFormation's own tag (user guide, "Resource tag")."""

PAGE = 500

_ROOT_DEVICES = ("/dev/xvda", "/dev/sda1")
"""What AMIs of Debian and Amazon, and of others, call the device that they boot from."""


def seen_instances(account: Account, environment: str | None = None) -> tuple[SeenInstance, ...]:
    """Every instance with our tags, or with those of one environment; terminated ones too, which
    EC2 shows for about an hour (EC2 guide, "Terminate your instance")."""
    pages = account.pages(
        "ec2",
        "DescribeInstances",
        about=_about("instances", environment),
        Filters=tag_filters(environment),
        MaxResults=PAGE,
    )
    return tuple(
        _instance(raw)
        for page in pages
        for reservation in page.get("Reservations", [])
        for raw in reservation.get("Instances", [])
    )


def seen_volumes(account: Account, environment: str | None = None) -> tuple[SeenVolume, ...]:
    """Every volume with our tags, or with those of one environment."""
    pages = account.pages(
        "ec2",
        "DescribeVolumes",
        about=_about("volumes", environment),
        Filters=tag_filters(environment),
        MaxResults=PAGE,
    )
    return tuple(_volume(raw) for page in pages for raw in page.get("Volumes", []))


def tag_filters(environment: str | None) -> list[dict[str, Any]]:
    """EC2's filter for what is ours."""
    if environment is None:
        return [{"Name": "tag-key", "Values": [ENVIRONMENT_TAG]}]
    return [{"Name": f"tag:{ENVIRONMENT_TAG}", "Values": [environment]}]


def _about(what: str, environment: str | None) -> str:
    return f"{what} of {environment}" if environment else f"{what} of greenroom"


def _instance(raw: Mapping[str, Any]) -> SeenInstance:
    tags = tags_of(raw)
    return SeenInstance(
        id=raw["InstanceId"],
        environment=tags.get(ENVIRONMENT_TAG, ""),
        machine=tags.get(MACHINE_TAG, ""),
        logical_id=tags.get(LOGICAL_ID_TAG, ""),
        type=raw.get("InstanceType", ""),
        power=Power(raw["State"]["Name"]),
        launched_at=raw["LaunchTime"],
        private_ip=raw.get("PrivateIpAddress") or "",
        public_ip=raw.get("PublicIpAddress") or "",
        image=raw.get("ImageId", ""),
        groups=tuple(_groups(raw)),
        tags=tags,
    )


def _groups(raw: Mapping[str, Any]) -> Iterator[str]:
    for group in raw.get("SecurityGroups") or []:
        yield group["GroupId"]


def _volume(raw: Mapping[str, Any]) -> SeenVolume:
    tags = tags_of(raw)
    return SeenVolume(
        id=raw["VolumeId"],
        environment=tags.get(ENVIRONMENT_TAG, ""),
        machine=tags.get(MACHINE_TAG, ""),
        root=any(each.get("Device") in _ROOT_DEVICES for each in raw.get("Attachments") or []),
        type=raw.get("VolumeType", ""),
        size_gib=int(raw.get("Size", 0)),
        created_at=raw["CreateTime"],
    )
