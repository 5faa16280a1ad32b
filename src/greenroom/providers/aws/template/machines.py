"""A machine: its launch template, the instance or the group of one, its volume and its signal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from troposphere import GetAtt, Ref, Retain, RetainExceptOnCreate, Select, ec2
from troposphere.autoscaling import AutoScalingGroup, LaunchTemplateSpecification
from troposphere.cloudformation import WaitCondition, WaitConditionHandle
from troposphere.policies import AutoScalingRollingUpdate, UpdatePolicy

from greenroom.model.cloud import CloudMachine, CloudStack, DataVolume
from greenroom.model.stack import Machine
from greenroom.providers.aws.tags import Tags, instance_tags, kept_tags
from greenroom.providers.aws.template.ami import image_id
from greenroom.providers.aws.template.compiled import Body, Resource, resource_of
from greenroom.providers.aws.template.groups import Grounds
from greenroom.providers.aws.template.order import waited_for
from greenroom.providers.aws.template.roles import profile_id
from greenroom.providers.aws.template.user_data import encoded_user_data

SUBNETS_PARAMETER = "SubnetIds"

ROOT_DEVICE = "/dev/xvda"
"""The root device of Debian's AMIs, and of Amazon's."""
DATA_DEVICE = "/dev/sdf"
"""The first name that EC2 recommends for a data volume (EC2 guide, "Device names"); on a Nitro
instance the kernel calls it otherwise."""

_HASH_CHARACTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A machine at its place: the Stack's view, AWS's, and what its resources are called.

    ``boot_hash`` changes with everything that makes EC2 replace the instance.
    """

    machine: Machine
    aws: CloudMachine
    base: str
    boot_hash: str

    @property
    def template_id(self) -> str:
        """The launch template."""
        return f"{self.base}Template"

    @property
    def instance_id(self) -> str:
        """The instance, or its Auto Scaling group."""
        return f"{self.base}Scaling" if self.aws.auto_scaling else self.base

    @property
    def handle_id(self) -> str:
        """The wait handle. A handle serves once: a machine that boots anew, because what it
        boots from has changed, gets another one, and is waited for again."""
        return f"{self.base}Handle{self.boot_hash}"

    @property
    def ready_id(self) -> str:
        """The wait condition."""
        return f"{self.base}Ready{self.boot_hash}"

    @property
    def kept_volume(self) -> DataVolume | None:
        """The data volume, if it is to outlive the machine."""
        volume = self.aws.volume
        return volume if volume is not None and volume.retain else None


def posts_of(grounds: Grounds) -> dict[str, Post]:
    """Every machine at its place, by name."""
    return {machine.name: _post(grounds, machine) for machine in grounds.cloud.stack.machines}


def machine_resources(
    grounds: Grounds, posts: Mapping[str, Post], zone: object
) -> Iterator[Resource]:
    """What each machine is made of; ``zone`` is the private zone's id, or its Ref."""
    for post in posts.values():
        for resource in _resources(grounds, post, posts, zone):
            yield resource_of(resource, home=post.machine.type)


def machine_outputs(post: Post) -> Iterator[tuple[str, Body]]:
    """What the stack tells of a machine: what it signalled, and where it is."""
    yield f"{post.base}Report", {"Value": GetAtt(post.ready_id, "Data").to_dict()}
    if post.machine.endpoint is not None:
        yield f"{post.base}Endpoint", {"Value": post.machine.endpoint.url}
    if post.aws.auto_scaling:
        yield f"{post.base}Scaling", {"Value": {"Ref": post.instance_id}}
        return
    yield f"{post.base}Id", {"Value": {"Ref": post.instance_id}}
    yield f"{post.base}PrivateIp", {"Value": GetAtt(post.instance_id, "PrivateIp").to_dict()}


def _post(grounds: Grounds, machine: Machine) -> Post:
    aws = grounds.cloud.machine(machine.name)
    parts = [_launch_data(grounds, machine, aws).to_dict(), machine.user_data]
    boot_hash = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return Post(
        machine=machine,
        aws=aws,
        base=grounds.ids.machines[machine.name],
        boot_hash=boot_hash[:_HASH_CHARACTERS],
    )


def _resources(
    grounds: Grounds, post: Post, posts: Mapping[str, Post], zone: object
) -> Iterator[Any]:
    yield WaitConditionHandle(post.handle_id)
    data = _launch_data(grounds, post.machine, post.aws)
    data.UserData = encoded_user_data(post.machine, post.handle_id, zone)
    yield ec2.LaunchTemplate(post.template_id, LaunchTemplateData=data)
    waits = [posts[name].ready_id for name in waited_for(grounds.cloud, post.machine)]
    after = {"DependsOn": waits} if waits else {}
    yield _group_of_one(post, after) if post.aws.auto_scaling else _instance(post, after)
    present = [post.instance_id]
    if post.kept_volume is not None:
        yield from _kept_volume(grounds.cloud, post, post.kept_volume)
        present.append(f"{post.base}Attachment")
    # The time runs from when the machine is there.
    yield WaitCondition(
        post.ready_id,
        DependsOn=present,
        Handle=Ref(post.handle_id),
        Count=1,
        Timeout=str(post.aws.timeout_s),
    )


def _launch_data(grounds: Grounds, machine: Machine, aws: CloudMachine) -> Any:
    """Everything that an instance is launched from, but for its user data."""
    cloud = grounds.cloud
    key = {"KeyName": cloud.key_name} if cloud.key_name else {}
    return ec2.LaunchTemplateData(
        ImageId=image_id(aws.ami),
        InstanceType=machine.instance_type,
        IamInstanceProfile=ec2.IamInstanceProfile(
            Arn=GetAtt(profile_id(grounds, machine.type), "Arn")
        ),
        MetadataOptions=ec2.MetadataOptions(
            HttpEndpoint="enabled",
            HttpTokens="required",
            HttpPutResponseHopLimit=1,
            InstanceMetadataTags="enabled",
        ),
        BlockDeviceMappings=list(_block_devices(aws)),
        NetworkInterfaces=[_network_interface(grounds, machine, aws)],
        TagSpecifications=[
            ec2.TagSpecifications(ResourceType=kind, Tags=_tag_list(kept_tags(cloud, aws)))
            for kind in ("volume", "network-interface")
        ],
        **key,
    )


def _network_interface(grounds: Grounds, machine: Machine, aws: CloudMachine) -> Any:
    # An Auto Scaling group brings its own subnets.
    subnet = {} if aws.auto_scaling else {"SubnetId": _subnet(grounds.cloud, machine)}
    return ec2.NetworkInterfaces(
        DeviceIndex=0,
        AssociatePublicIpAddress=grounds.cloud.public_addresses,
        DeleteOnTermination=True,
        Groups=[grounds.group_id(group) for group in machine.groups],
        **subnet,
    )


def _subnet(cloud: CloudStack, machine: Machine) -> Any:
    """Machines of a type go to the subnets in turn; of a VPC's own subnets, whose number is not
    known before the account is asked, to the first."""
    number = int(machine.name.removeprefix(machine.type)) - 1
    return Select(number % max(1, len(cloud.subnets)), Ref(SUBNETS_PARAMETER))


def _block_devices(aws: CloudMachine) -> Iterator[Any]:
    yield _block_device(ROOT_DEVICE, {"VolumeSize": aws.root_gib})
    if aws.volume is not None and not aws.volume.retain:
        yield _block_device(DATA_DEVICE, {"VolumeSize": aws.volume.size_gib, **_from(aws.volume)})


def _block_device(name: str, size: Mapping[str, object]) -> Any:
    ebs = ec2.EBSBlockDevice(VolumeType="gp3", Encrypted=True, DeleteOnTermination=True, **size)
    return ec2.LaunchTemplateBlockDeviceMapping(DeviceName=name, Ebs=ebs)


def _from(volume: DataVolume) -> dict[str, object]:
    if volume.snapshot is None:
        return {}
    return {
        "SnapshotId": volume.snapshot,
        "VolumeInitializationRate": volume.initialization_mibps,
    }


def _instance(post: Post, after: Mapping[str, object]) -> Any:
    # These tags may change without a new instance; those of a launch template may not.
    return ec2.Instance(
        post.instance_id,
        LaunchTemplate=ec2.LaunchTemplateSpecification(
            LaunchTemplateId=Ref(post.template_id),
            Version=GetAtt(post.template_id, "LatestVersionNumber"),
        ),
        Tags=_tag_list(instance_tags(post.machine)),
        **after,
    )


def _group_of_one(post: Post, after: Mapping[str, object]) -> Any:
    return AutoScalingGroup(
        post.instance_id,
        MinSize="1",
        MaxSize="1",
        LaunchTemplate=LaunchTemplateSpecification(
            LaunchTemplateId=Ref(post.template_id),
            Version=GetAtt(post.template_id, "LatestVersionNumber"),
        ),
        VPCZoneIdentifier=Ref(SUBNETS_PARAMETER),
        Tags=[{**tag, "PropagateAtLaunch": True} for tag in _tag_list(instance_tags(post.machine))],
        # Without a policy a new launch template would only be used for the next replacement.
        UpdatePolicy=UpdatePolicy(
            AutoScalingRollingUpdate=AutoScalingRollingUpdate(
                MinInstancesInService="0", MaxBatchSize="1"
            )
        ),
        **after,
    )


def _kept_volume(cloud: CloudStack, post: Post, volume: DataVolume) -> Iterator[Any]:
    """A volume of its own: it stays when the stack goes, and it can grow without a new machine.

    The attachment stays with it, so that nothing is pulled from under a running database: the
    instance's end detaches it. What a failed create has made of both is removed.
    """
    volume_id = f"{post.base}Volume"
    yield ec2.Volume(
        volume_id,
        AvailabilityZone=GetAtt(post.instance_id, "AvailabilityZone"),
        VolumeType="gp3",
        Encrypted=True,
        Size=volume.size_gib,
        Tags=_tag_list(kept_tags(cloud, post.aws)),
        DeletionPolicy=RetainExceptOnCreate,
        UpdateReplacePolicy=Retain,
        **_from(volume),
    )
    yield ec2.VolumeAttachment(
        f"{post.base}Attachment",
        Device=DATA_DEVICE,
        InstanceId=Ref(post.instance_id),
        VolumeId=Ref(volume_id),
        DeletionPolicy=RetainExceptOnCreate,
        UpdateReplacePolicy=Retain,
    )


def _tag_list(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]
