"""The shape of the template in the talk that greenroom grew from, made of today's Stack.

Groups go by name, rules stand inside their groups, one instance profile is made for each that the
blueprint names, and every machine tells its own wait condition. Such groups need the account's
default VPC (or EC2-Classic, which is gone), so this target is there to be read and compared; what
greenroom boots on AWS is target vpc.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Iterator

from troposphere import AWSObject, GetAtt, Output, Ref, Tags, Template
from troposphere.cloudformation import WaitCondition, WaitConditionHandle
from troposphere.ec2 import Instance, SecurityGroupRule
from troposphere.ec2 import SecurityGroup as Ec2SecurityGroup
from troposphere.iam import InstanceProfile
from troposphere.route53 import RecordSetType

from greenroom.errors import InputError
from greenroom.model.cloud import CloudMachine, CloudStack, Target
from greenroom.model.stack import Endpoint, IngressRule, Machine, SecurityGroup
from greenroom.providers.aws.template.user_data import encoded_user_data

TTL_S = 300
LABEL_OF_BRANCH = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
"""A branch that can be a part of a host name as it is; the talk's ``feature_x`` is one."""

_CODE = "E_AWS_CLASSIC"
_HINT = f"compile the target {Target.VPC.value!r} instead"


def compile_classic(cloud: CloudStack) -> Template:
    """The template of ``cloud`` in target classic; the same value gives the same template.

    ``cloud`` was planned for this target, so that no boot script waits for a data volume. Raises
    InputError E_AWS_CLASSIC for what this shape cannot say.
    """
    _refuse_what_needs_a_vpc(cloud)
    template = Template()
    for resource in _resources(cloud):
        if resource.title in template.resources:
            raise InputError(
                _CODE,
                f"two resources of target classic would both be called {resource.title!r}",
                hint="rename a machine type, group or profile: names differ in more than dashes",
            )
        template.add_resource(resource)
    for output in _outputs(cloud):
        template.add_output(output)
    return template


def _refuse_what_needs_a_vpc(cloud: CloudStack) -> None:
    for machine in cloud.machines:
        if machine.auto_scaling:
            raise InputError(
                _CODE, f"target classic has no Auto Scaling groups for {machine.name}", hint=_HINT
            )
        if machine.volume is not None:
            raise InputError(
                _CODE,
                f"target classic has no data volumes, and {machine.name} was planned with one",
                hint=_HINT,
            )
    for group in cloud.existing_groups:
        if group.ref.startswith("sg-"):
            raise InputError(
                _CODE,
                f"target classic joins groups by name, and {group.name!r} is given by its id "
                f"{group.ref!r}",
                hint=_HINT,
            )
    _refuse_circles(cloud)


def _refuse_circles(cloud: CloudStack) -> None:
    """CloudFormation makes a group with its rules, so two of them cannot name each other."""
    made = {group.name: group for group in _groups_made(cloud)}
    sources = {
        name: {rule.group for rule in group.ingress if rule.group in made}
        for name, group in made.items()
    }
    try:
        graphlib.TopologicalSorter(sources).prepare()
    except graphlib.CycleError as error:
        circle = " → ".join(error.args[1])
        raise InputError(
            _CODE,
            f"in target classic the rules of groups cannot form a circle: {circle}",
            hint=_HINT,
        ) from error


def _groups_made(cloud: CloudStack) -> list[SecurityGroup]:
    existing = {group.name for group in cloud.existing_groups}
    return [group for group in cloud.stack.groups if group.name not in existing]


# Resources


def _resources(cloud: CloudStack) -> Iterator[AWSObject]:
    for group in _groups_made(cloud):
        yield _security_group(cloud, group)
    yield from _instance_profiles(cloud)
    for machine in cloud.stack.machines:
        yield from _machine(cloud, machine, cloud.machine(machine.name))
    for machine, endpoint in _endpoints(cloud):
        yield _record(cloud, machine, endpoint)


def _security_group(cloud: CloudStack, group: SecurityGroup) -> AWSObject:
    known = {each.name for each in cloud.stack.groups}
    return Ec2SecurityGroup(
        _group_id(group.name),
        GroupDescription=group.name,
        SecurityGroupIngress=[
            _rule(cloud, rule)
            for rule in group.ingress
            # Shared machines are not in an account yet, so nobody is there to be let in.
            if rule.group is None or rule.group in known
        ],
        Tags=_tags(group.tags),
    )


def _rule(cloud: CloudStack, rule: IngressRule) -> SecurityGroupRule:
    source = (
        {"CidrIp": str(rule.network)}
        if rule.group is None
        else {"SourceSecurityGroupName": _group(cloud, rule.group)}
    )
    return SecurityGroupRule(
        IpProtocol=rule.protocol.value,
        FromPort=str(rule.ports.first),
        ToPort=str(rule.ports.last),
        **source,
    )


def _instance_profiles(cloud: CloudStack) -> Iterator[AWSObject]:
    """One for each profile that a machine has, whoever shares it."""
    roles: dict[str, str] = {}
    for machine in cloud.stack.machines:
        if machine.instance_profile is None:
            continue
        role = cloud.machine(machine.name).role
        if role is None:
            raise InputError(
                _CODE,
                "target classic makes no roles, and the instance profile "
                f"{machine.instance_profile!r} of {machine.name} names none",
                hint=f"name one: instance_profiles.{machine.instance_profile}.role",
            )
        roles[machine.instance_profile] = role
    for name, role in roles.items():
        yield InstanceProfile(_profile_id(name), Path="/", Roles=[role])


def _machine(cloud: CloudStack, machine: Machine, placed: CloudMachine) -> Iterator[AWSObject]:
    handle = WaitConditionHandle(f"{_identifier(machine.name)}puppetwaithandle")
    instance = Instance(
        _identifier(machine.name),
        ImageId=placed.ami.id or f"{{{{resolve:ssm:{placed.ami.parameter}}}}}",
        InstanceType=machine.instance_type,
        SecurityGroups=[_group(cloud, name) for name in machine.groups],
        Tags=_tags(_instance_tags(machine, placed)),
        UserData=encoded_user_data(machine, handle.title, None),
    )
    if cloud.key_name is not None:
        instance.KeyName = cloud.key_name
    if machine.instance_profile is not None:
        instance.IamInstanceProfile = Ref(_profile_id(machine.instance_profile))
    yield instance
    yield handle
    yield WaitCondition(
        f"{_identifier(machine.name)}puppetwaitcondition",
        Handle=Ref(handle),
        Timeout=str(placed.timeout_s),
    )


def _instance_tags(machine: Machine, placed: CloudMachine) -> list[tuple[str, str]]:
    """Its own, those of its groups that it repeats, and what its data was restored from."""
    tags = {key: value for key, value in machine.tags if key in placed.repeated_tags}
    if machine.volume is not None and machine.volume.source is not None:
        tags[f"restore_from_{machine.volume.source}"] = "true"
    return sorted((tags | dict(placed.own_tags)).items())


def _record(cloud: CloudStack, machine: Machine, endpoint: Endpoint) -> AWSObject:
    assert cloud.public_zone is not None, "endpoints are only listed where there is a zone"
    record = RecordSetType(
        _endpoint_id(endpoint),
        HostedZoneId=cloud.public_zone.id,
        Name=f"{endpoint.name}.{_branch_label(cloud)}.{cloud.public_zone.name}.",
        Type="CNAME",
        ResourceRecords=[GetAtt(_identifier(machine.name), "PublicDnsName")],
    )
    # A number, as in the talk's template; the library takes nothing but text here.
    record.properties["TTL"] = TTL_S
    return record


# Outputs


def _outputs(cloud: CloudStack) -> Iterator[Output]:
    for machine in cloud.stack.machines:
        name = _identifier(machine.name)
        for kind in ("Private", "Public"):
            yield Output(
                f"{name}{kind}DNS",
                Description=f"{kind} DNSName of the newly created EC2 {machine.name} instance",
                Value=GetAtt(name, f"{kind}DnsName"),
            )
    purpose = "production" if cloud.stack.production else "staging"
    for _, endpoint in _endpoints(cloud):
        name = _identifier(endpoint.name)
        yield Output(
            f"{name[:1].upper()}{name[1:]}Endpoint",
            Description=f"DNS Endpoint to {cloud.stack.branch} {endpoint.name.upper()} {purpose}",
            Value=Ref(_endpoint_id(endpoint)),
        )


def _endpoints(cloud: CloudStack) -> list[tuple[Machine, Endpoint]]:
    """The endpoints that get a public name."""
    if cloud.public_zone is None:
        return []
    return [(m, m.endpoint) for m in cloud.stack.machines if m.endpoint is not None]


# Names


def _identifier(name: str) -> str:
    """CloudFormation's names of resources are alphanumeric."""
    return name.replace("-", "")


def _group_id(name: str) -> str:
    return f"{_identifier(name)}sg"


def _profile_id(name: str) -> str:
    return f"{_identifier(name)}profile"


def _endpoint_id(endpoint: Endpoint) -> str:
    return f"{_identifier(endpoint.name)}endpoint"


def _group(cloud: CloudStack, name: str) -> str | Ref:
    """How a rule or an instance names the group: an existing one by its own name."""
    for existing in cloud.existing_groups:
        if existing.name == name:
            return existing.ref
    return Ref(_group_id(name))


def _branch_label(cloud: CloudStack) -> str:
    """The branch as it is where a host name can hold it, else its slug."""
    branch = cloud.stack.branch
    return branch if LABEL_OF_BRANCH.fullmatch(branch) else cloud.stack.environment.slug


def _tags(pairs: Iterable[tuple[str, str]]) -> Tags:
    return Tags(dict(pairs))
