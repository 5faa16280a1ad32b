"""What holds for every template of target vpc, on blueprints drawn at random."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from tests.cloud_stacks import (
    BRANCHES,
    Document,
    blueprints,
    compiled,
    example,
    stack_of,
)
from tests.unit.template_readings import of_type, readable

from greenroom.model.cloud import (
    PRIVATE_ZONE_MARK,
    CloudStack,
    wait_handle_mark,
)
from greenroom.providers.aws.template import compile_template
from greenroom.providers.aws.template.names import logical_ids

drawn = settings(max_examples=12, derandomize=True, deadline=None)


def references(value: Any) -> Iterator[str]:
    """Every resource or parameter that a part of a template names."""
    match value:
        case {"Ref": str(id)} | {"Fn::GetAtt": [str(id), str()]}:
            yield id
        case dict():
            for key, each in value.items():
                yield from each if key == "DependsOn" else references(each)
        case list():
            for each in value:
                yield from references(each)


def resolved_user_data(document: Document, cloud: CloudStack, name: str) -> str:
    """A machine's user data as EC2 gets it, from a CloudFormation that knows the references."""
    base = logical_ids(cloud).machines[name]
    data = document["Resources"][f"{base}Template"]["Properties"]["LaunchTemplateData"]
    empty, pieces = data["UserData"]["Fn::Base64"]["Fn::Join"]
    assert empty == ""
    return "".join(
        each if isinstance(each, str) else f"https://given/{each['Ref']}?a=b&c" for each in pieces
    )


@drawn
@given(blueprints(), BRANCHES)
def test_every_flow_has_one_rule_in_and_one_out_and_nothing_else_has_any(
    written: Document, branch: str
) -> None:
    cloud = stack_of(written, branch=branch)
    document = compiled(cloud)
    flows_in: Counter[Any] = Counter()
    flows_out: Counter[Any] = Counter()
    for group in cloud.stack.groups:
        for rule in group.ingress:
            ports = (rule.protocol.value, rule.ports.first, rule.ports.last)
            flows_in[(group.name, rule.group or str(rule.network), *ports)] += 1
            if rule.group is not None:
                flows_out[(rule.group, group.name, *ports)] += 1
    names = {f"{id}Group": name for name, id in logical_ids(cloud).groups.items()}

    def traffic(rule: Document) -> tuple[Any, ...]:
        return (rule["IpProtocol"], rule["FromPort"], rule["ToPort"])

    def group_of(value: Document) -> str:
        id, attribute = value["Fn::GetAtt"]
        assert attribute == "GroupId"
        return names[id]

    found_in = [
        (
            group_of(rule["GroupId"]),
            group_of(rule["SourceSecurityGroupId"])
            if "SourceSecurityGroupId" in rule
            else rule["CidrIp"],
            *traffic(rule),
        )
        for rule in of_type(document, "EC2::SecurityGroupIngress").values()
    ]
    found_out = [
        (group_of(rule["GroupId"]), group_of(rule["DestinationSecurityGroupId"]), *traffic(rule))
        for rule in of_type(document, "EC2::SecurityGroupEgress").values()
    ]
    assert Counter(found_in) == flows_in
    assert Counter(found_out) == flows_out
    texts = [
        rule["Description"]
        for kind in ("Ingress", "Egress")
        for rule in of_type(document, f"EC2::SecurityGroup{kind}").values()
    ]
    for group in of_type(document, "EC2::SecurityGroup").values():
        texts.append(group["GroupDescription"])
        texts += [rule["Description"] for rule in group["SecurityGroupEgress"]]
        assert "SecurityGroupIngress" not in group
        assert group["SecurityGroupEgress"], "or AWS would let everything out"
        for rule in group["SecurityGroupEgress"]:
            # Out of the environment: HTTPS, packages for a bare Debian, or to nobody at all.
            assert (rule["CidrIp"], rule.get("FromPort")) in {
                ("0.0.0.0/0", 443),
                ("0.0.0.0/0", 80),
                ("127.0.0.1/32", None),
            }
    # EC2 API, CreateSecurityGroup and IpRange.
    assert all(re.fullmatch(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}", t) for t in texts)


@drawn
@given(blueprints(), BRANCHES)
def test_every_reference_leads_somewhere_and_nothing_waits_for_itself(
    written: Document, branch: str
) -> None:
    document = compiled(stack_of(written, branch=branch))
    known = {*document["Resources"], *document["Parameters"]}
    assert set(references([document["Resources"], document["Outputs"]])) <= known
    ahead = {id: set(references(body)) for id, body in document["Resources"].items()}
    while ready := [id for id, needs in ahead.items() if not needs & ahead.keys()]:
        for id in ready:
            del ahead[id]
    assert ahead == {}, "these wait for each other"


@drawn
@given(blueprints(), BRANCHES)
def test_the_user_data_is_the_planned_one_with_its_marks_replaced(
    written: Document, branch: str
) -> None:
    cloud = stack_of(written, branch=branch)
    document = compiled(cloud)
    handles = of_type(document, "CloudFormation::WaitConditionHandle")
    zone = cloud.private_zone or "https://given/PrivateZone?a=b&c"
    for each in cloud.stack.machines:
        text = resolved_user_data(document, cloud, each.name)
        base = logical_ids(cloud).machines[each.name]
        (handle,) = [id for id in handles if id.startswith(f"{base}Handle")]
        expected = each.user_data.replace(
            wait_handle_mark(each.name), f"https://given/{handle}?a=b&c"
        ).replace(PRIVATE_ZONE_MARK, zone)
        assert text == expected
        assert handle in text


@drawn
@given(blueprints(), BRANCHES)
def test_nothing_paid_outlives_its_stack_but_the_data_of_production(
    written: Document, branch: str
) -> None:
    cloud = stack_of(written, branch=branch)
    document = compiled(cloud)
    kept = {id for id, body in document["Resources"].items() if "DeletionPolicy" in body}
    ids = logical_ids(cloud).machines
    expected = set()
    for view in cloud.machines:
        if view.volume is not None and view.volume.retain:
            expected |= {f"{ids[view.name]}Volume", f"{ids[view.name]}Attachment"}
    assert kept == expected
    assert not expected or branch == "master"
    for id in kept:
        policies = (
            document["Resources"][id]["DeletionPolicy"],
            document["Resources"][id]["UpdateReplacePolicy"],
        )
        # What a failed create leaves is worth nothing, and costs.
        assert policies == ("RetainExceptOnCreate", "Retain")
    for template in of_type(document, "EC2::LaunchTemplate").values():
        for device in template["LaunchTemplateData"]["BlockDeviceMappings"]:
            assert device["Ebs"]["DeleteOnTermination"] is True
        for interface in template["LaunchTemplateData"]["NetworkInterfaces"]:
            assert interface["DeleteOnTermination"] is True


@drawn
@given(blueprints(), BRANCHES)
def test_every_disk_is_encrypted_gp3_and_data_has_exactly_one(
    written: Document, branch: str
) -> None:
    cloud = stack_of(written, branch=branch)
    document = compiled(cloud)
    ids = logical_ids(cloud).machines
    own = of_type(document, "EC2::Volume")
    for view in cloud.machines:
        launch = document["Resources"][f"{ids[view.name]}Template"]["Properties"]
        disks = [each["Ebs"] for each in launch["LaunchTemplateData"]["BlockDeviceMappings"]]
        root, *others = disks
        others += [own[f"{ids[view.name]}Volume"]] if f"{ids[view.name]}Volume" in own else []
        assert root["VolumeSize"] == view.root_gib
        assert all(disk["VolumeType"] == "gp3" and disk["Encrypted"] for disk in [root, *others])
        if view.volume is None:
            assert others == []
            continue
        (disk,) = others
        assert disk.get("VolumeSize", disk.get("Size")) == view.volume.size_gib
        assert disk.get("SnapshotId") == view.volume.snapshot
        assert disk.get("VolumeInitializationRate") == view.volume.initialization_mibps


@drawn
@given(blueprints(), BRANCHES)
def test_metadata_takes_tokens_only_and_tells_tags(written: Document, branch: str) -> None:
    cloud = stack_of(written, branch=branch)
    templates = of_type(compiled(cloud), "EC2::LaunchTemplate")
    assert len(templates) == len(cloud.machines)
    for template in templates.values():
        assert template["LaunchTemplateData"]["MetadataOptions"] == {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "enabled",
        }


@drawn
@given(blueprints(), BRANCHES)
def test_an_instance_has_its_effective_tags(written: Document, branch: str) -> None:
    cloud = stack_of(written, branch=branch)
    document = compiled(cloud)
    ids = logical_ids(cloud).machines
    for each in cloud.stack.machines:
        moving = cloud.machine(each.name).auto_scaling
        resource = document["Resources"][ids[each.name] + ("Scaling" if moving else "")]
        tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"]["Tags"]}
        assert len(tags) == len(resource["Properties"]["Tags"])
        assert dict(each.tags).items() <= tags.items()
        assert tags["greenroom:machine"] == each.name
        assert tags["Name"] == dict(each.tags).get("Name", each.private_dns)


@drawn
@given(blueprints(), BRANCHES)
def test_a_role_reads_what_its_machines_need_and_only_a_restore_reads_extracts(
    written: Document, branch: str
) -> None:
    cloud = stack_of(written, branch=branch)
    read = readable(cloud, compiled(cloud))
    restoring = {
        m.type for m in cloud.stack.machines if m.volume is not None and m.volume.bucket is not None
    }
    for type_, objects in read.items():
        extracts = {each for each in objects if ":::extracts-bucket/" in each}
        # A volume from a snapshot restores nothing, but its manifest says what must be in it.
        assert extracts == ({"arn:aws:s3:::extracts-bucket/extract/*"} & objects)
        assert bool(extracts) == (type_ in restoring)
        views = [cloud.machine(m.name) for m in cloud.stack.machines if m.type == type_]
        assert len(objects) == len({read for view in views for read in view.reads})
        assert any(f"own-bucket/agent/agent-{cloud.agent_sha256}.pyz" in each for each in objects)


def test_the_same_stack_compiles_to_the_same_bytes() -> None:
    assert compile_template(example("photos")) == compile_template(example("photos"))
