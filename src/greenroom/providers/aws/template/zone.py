"""Names: the private zone and the records of what stands still in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from troposphere import GetAtt, Ref
from troposphere.route53 import HostedZone, HostedZoneConfiguration, HostedZoneVPCs, RecordSetType

from greenroom.errors import InputError
from greenroom.model.cloud import CloudStack
from greenroom.providers.aws.template.compiled import Body, Resource, resource_of
from greenroom.providers.aws.template.groups import VPC_PARAMETER, Grounds
from greenroom.providers.aws.template.machines import Post
from greenroom.providers.aws.template.names import alphanumeric

ZONE_ID = "PrivateZone"
_TTL_S = "60"


def private_zone(cloud: CloudStack) -> object:
    """The private zone's id, or what gives it."""
    return cloud.private_zone or Ref(ZONE_ID)


def name_resources(grounds: Grounds, posts: Mapping[str, Post]) -> Iterator[Resource]:
    """The environment's own zone, if it has one, and the records of its machines.

    Raises InputError E_AWS_PUBLIC_NAME for a public name of a machine without public address.
    """
    cloud = grounds.cloud
    if cloud.private_zone is None:
        zone = HostedZone(
            ZONE_ID,
            Name=cloud.stack.domain,
            HostedZoneConfig=HostedZoneConfiguration(Comment=f"{cloud.stack.environment}"),
            VPCs=[HostedZoneVPCs(VPCId=Ref(VPC_PARAMETER), VPCRegion=cloud.region)],
        )
        yield resource_of(zone, home=None)
    private = _private_names(posts)
    for name, title in _titles("Name", private).items():
        yield _record(title, name, private_zone(cloud), private[name], "PrivateIp")
    public = dict(_public_names(cloud, posts))
    for name, title in _titles("PublicName", public).items():
        assert cloud.public_zone is not None, name
        yield _record(title, name, cloud.public_zone.id, [public[name]], "PublicIp")


def moving_records(post: Post, cloud: CloudStack) -> Iterator[tuple[str, Body]]:
    """The outputs that say which names a machine writes itself: no stack's end removes them."""
    if not post.aws.auto_scaling:
        return
    yield f"{post.base}PrivateNames", {"Value": ",".join(post.machine.dns_names)}
    endpoint = post.machine.endpoint
    if endpoint is not None and endpoint.public_host is not None:
        yield f"{post.base}PublicName", {"Value": endpoint.public_host}


def moving_zones(posts: Iterable[Post], cloud: CloudStack) -> Iterator[tuple[str, Body]]:
    """The outputs that say in which zones those names are, as far as the stack does not make
    them."""
    moving = [post for post in posts if post.aws.auto_scaling]
    if moving and cloud.private_zone is not None:
        yield "PrivateNamesZone", {"Value": cloud.private_zone}
    endpoints = [post.machine.endpoint for post in moving]
    if cloud.public_zone and any(each and each.public_host for each in endpoints):
        yield "PublicNamesZone", {"Value": cloud.public_zone.id}


def _private_names(posts: Mapping[str, Post]) -> dict[str, list[Post]]:
    """Every private name, with the machines that it stands for."""
    names: dict[str, list[Post]] = {}
    for post in posts.values():
        if not post.aws.auto_scaling:
            for name in post.machine.dns_names:
                names.setdefault(name, []).append(post)
    return names


def _public_names(cloud: CloudStack, posts: Mapping[str, Post]) -> Iterator[tuple[str, Post]]:
    for post in posts.values():
        endpoint = post.machine.endpoint
        if endpoint is None or endpoint.public_host is None:
            continue
        if not cloud.public_addresses:
            raise InputError(
                "E_AWS_PUBLIC_NAME",
                f"the endpoint {endpoint.name!r} of {post.machine.name} is to be called "
                f"{endpoint.public_host}, but machines have no public addresses",
                hint="set aws.public_addresses, or take aws.public_zone out",
            )
        if not post.aws.auto_scaling:
            yield endpoint.public_host, post


def _titles(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Logical ids of records. All names of a zone end alike, so their first label will do."""
    labels = {name: name.partition(".")[0] for name in names}
    short = alphanumeric(labels.values())
    return {name: f"{kind}{short[label]}" for name, label in labels.items()}


def _record(title: str, name: str, zone: object, machines: list[Post], attribute: str) -> Resource:
    resource = RecordSetType(
        title,
        HostedZoneId=zone,
        Name=name,
        Type="A",
        TTL=_TTL_S,
        ResourceRecords=[GetAtt(post.instance_id, attribute) for post in machines],
    )
    types = {post.machine.type for post in machines}
    home = machines[0].machine.type if len(types) == 1 else None
    return resource_of(resource, home=home)
