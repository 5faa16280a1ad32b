"""What the account still holds of an environment, looked for by its tags.

Resource Groups' tagging API would be one call for all kinds, but it answers from an index that
lags behind and keeps what is gone ("GetResources" shows deleted resources for a while), and it
knows neither IAM's roles nor records of Route53. EC2, where everything that is paid for stands,
is asked itself; its own listings are consistent soonest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from greenroom.errors import RefusedError
from greenroom.model.cloud_views import Power, Reason, Remainder
from greenroom.providers.aws.seen import LOGICAL_ID_TAG, seen_instances, tag_filters
from greenroom.providers.aws.session import Account
from greenroom.providers.aws.tags import ENVIRONMENT_TAG, PRODUCTION_TAG, tags_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """An EC2 listing that takes tag filters. ``going`` are the states in which AWS removes it."""

    kind: str
    operation: str
    list_key: str
    id_key: str
    going: tuple[str, ...] = ()


_LISTINGS = (
    _Listing(
        kind="volume",
        operation="DescribeVolumes",
        list_key="Volumes",
        id_key="VolumeId",
        going=("deleting", "deleted"),
    ),
    _Listing(
        kind="snapshot",
        operation="DescribeSnapshots",
        list_key="Snapshots",
        id_key="SnapshotId",
    ),
    _Listing(
        kind="network interface",
        operation="DescribeNetworkInterfaces",
        list_key="NetworkInterfaces",
        id_key="NetworkInterfaceId",
    ),
    _Listing(
        kind="security group",
        operation="DescribeSecurityGroups",
        list_key="SecurityGroups",
        id_key="GroupId",
    ),
    _Listing(
        kind="launch template",
        operation="DescribeLaunchTemplates",
        list_key="LaunchTemplates",
        id_key="LaunchTemplateId",
    ),
)
_ZONES_AT_ONCE = 10
"""How many resources Route53's ListTagsForResources takes."""


def look_for(account: Account, environment: str) -> tuple[tuple[Remainder, ...], tuple[str, ...]]:
    """Everything that bears the environment's tags, and the kinds that nobody may look for."""
    found: list[Remainder] = []
    unseen: list[str] = []
    looks = list(_looks(account, environment))
    with ThreadPoolExecutor(max_workers=len(looks)) as workers:
        # None of them waits for another: together they take as long as the slowest.
        asked = [(kind, workers.submit(look)) for kind, look in looks]
    for kind, answer in asked:
        try:
            found += answer.result()
        except RefusedError as error:
            unseen.append(f"{kind}: {error.message}")
    return tuple(sorted(found, key=lambda each: (each.kind, each.id))), tuple(unseen)


def _looks(
    account: Account, environment: str
) -> Iterator[tuple[str, Callable[[], list[Remainder]]]]:
    yield "instances", lambda: list(_instances(account, environment))
    for listing in _LISTINGS:
        yield f"{listing.kind}s", lambda each=listing: list(_listed(account, environment, each))  # type: ignore[misc]
    yield "roles", lambda: list(_roles(account, environment))
    yield "hosted zones", lambda: list(_zones(account, environment))


def _instances(account: Account, environment: str) -> Iterator[Remainder]:
    """A terminated instance costs nothing and stays visible for an hour: it is gone."""
    for instance in seen_instances(account, environment):
        if instance.power is Power.TERMINATED:
            continue
        going = instance.power is Power.SHUTTING_DOWN
        yield Remainder(
            kind="instance",
            id=instance.id,
            why=Reason.GOING if going else Reason.LEFT_OVER,
            note=f"{instance.machine}, {instance.power}".removeprefix(", "),
        )


def _listed(account: Account, environment: str, listing: _Listing) -> Iterator[Remainder]:
    more: dict[str, Any] = {"OwnerIds": ["self"]} if listing.kind == "snapshot" else {}
    pages = account.pages(
        "ec2",
        listing.operation,
        about=f"{listing.kind}s of {environment}",
        Filters=tag_filters(environment),
        **more,
    )
    for page in pages:
        for raw in page.get(listing.list_key, []):
            state = str(raw.get("State") or raw.get("Status") or "")
            yield Remainder(
                kind=listing.kind,
                id=raw[listing.id_key],
                why=_why(listing, raw, state),
                note=_note(listing, raw, state),
            )


def _why(listing: _Listing, raw: Mapping[str, Any], state: str) -> Reason:
    """Production's data volume is a resource of its stack and outlives it: a free one that
    CloudFormation made was kept on purpose, by this destroy or an earlier one. Every other volume
    is made by its instance's launch, and CloudFormation puts no tag of its own on it."""
    if state in listing.going:
        return Reason.GOING
    tags = tags_of(raw)
    kept = tags.get(PRODUCTION_TAG) == "true" and LOGICAL_ID_TAG in tags
    free = listing.kind == "volume" and state == "available"
    return Reason.KEPT if kept and free else Reason.LEFT_OVER


def _note(listing: _Listing, raw: Mapping[str, Any], state: str) -> str:
    if listing.kind == "volume":
        return f"{raw.get('Size', '?')} GiB, {state}"
    return state


def _roles(account: Account, environment: str) -> Iterator[Remainder]:
    """IAM lists no tags with its roles, so those that could be ours are asked for theirs."""
    about = f"roles of {environment}"
    stem = f"greenroom-{environment.replace('/', '-')}"[:24]
    pages = account.pages(
        "iam", "ListRoles", about=about, token=("Marker", "Marker"), MaxItems=1000
    )
    for page in pages:
        for raw in page.get("Roles", []):
            name = raw["RoleName"]
            if not name.startswith(stem):
                continue
            tags = account.call("iam", "ListRoleTags", about=name, RoleName=name)
            if tags_of(tags).get(ENVIRONMENT_TAG) == environment:
                yield Remainder(kind="role", id=name, why=Reason.LEFT_OVER)


def _zones(account: Account, environment: str) -> Iterator[Remainder]:
    zones: dict[str, str] = {}
    pages = account.pages(
        "route53",
        "ListHostedZones",
        about=f"hosted zones of {environment}",
        token=("NextMarker", "Marker"),
    )
    for page in pages:
        for raw in page.get("HostedZones", []):
            if raw.get("Config", {}).get("PrivateZone"):
                zones[raw["Id"].removeprefix("/hostedzone/")] = raw["Name"].rstrip(".")
    ids = sorted(zones)
    for start in range(0, len(ids), _ZONES_AT_ONCE):
        reply = account.call(
            "route53",
            "ListTagsForResources",
            about=f"hosted zones of {environment}",
            ResourceType="hostedzone",
            ResourceIds=ids[start : start + _ZONES_AT_ONCE],
        )
        for tagged in reply["ResourceTagSets"]:
            if tags_of(tagged).get(ENVIRONMENT_TAG) == environment:
                zone = tagged["ResourceId"]
                yield Remainder(kind="hosted zone", id=zone, why=Reason.LEFT_OVER, note=zones[zone])
