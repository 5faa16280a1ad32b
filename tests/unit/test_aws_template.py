"""What holds for every template of target vpc, on blueprints drawn at random."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from tests.cloud_stacks import (
    AWS,
    BOUNDARY,
    BRANCHES,
    Document,
    blueprint,
    blueprints,
    compiled,
    data,
    deploy,
    example,
    machine,
    stack_of,
)

from greenroom.model.cloud import (
    PRIVATE_ZONE_MARK,
    CloudStack,
    wait_handle_mark,
)
from greenroom.providers.aws.template import compile_template
from greenroom.providers.aws.template.names import logical_ids

drawn = settings(max_examples=12, derandomize=True, deadline=None)


def of_type(document: Document, kind: str) -> dict[str, Document]:
    """The properties of every resource of a type."""
    return {
        id: resource.get("Properties", {})
        for id, resource in document["Resources"].items()
        if resource["Type"] == f"AWS::{kind}"
    }


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


def readable(cloud: CloudStack, document: Document) -> dict[str, set[str]]:
    """The objects that each machine type's role may read."""
    found: dict[str, set[str]] = {}
    for type_, id in logical_ids(cloud).types.items():
        (policy,) = document["Resources"][f"{id}Role"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            if any(action.startswith("s3:") for action in [*_listed(statement["Action"])]):
                assert statement["Action"] == "s3:GetObject"
                found.setdefault(type_, set()).update(statement["Resource"])
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


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


def test_the_photo_feed_has_what_its_blueprint_says() -> None:
    document = compiled(example("photos"))
    assert Counter(resource["Type"] for resource in document["Resources"].values()) == {
        "AWS::EC2::SecurityGroup": 4,
        "AWS::EC2::SecurityGroupIngress": 3,
        "AWS::EC2::SecurityGroupEgress": 2,
        "AWS::IAM::Role": 3,
        "AWS::IAM::InstanceProfile": 3,
        "AWS::EC2::LaunchTemplate": 3,
        "AWS::EC2::Instance": 3,
        "AWS::CloudFormation::WaitConditionHandle": 3,
        "AWS::CloudFormation::WaitCondition": 3,
        "AWS::Route53::HostedZone": 1,
        "AWS::Route53::RecordSet": 7,
    }
    assert document["Resources"]["backendTodbtcp3306"]["Properties"]["Description"] == (
        "backend to db"
    )
    assert document["Resources"]["Nameapi"]["Properties"] == {
        "HostedZoneId": {"Ref": "PrivateZone"},
        "Name": "api.feature-x.photos.internal",
        "Type": "A",
        "TTL": "60",
        "ResourceRecords": [{"Fn::GetAtt": ["backend1", "PrivateIp"]}],
    }
    assert set(document["Outputs"]) == {
        f"{machine}{what}"
        for machine in ("backend1", "db1", "feed1")
        for what in ("Report", "Id", "PrivateIp")
    } | {"backend1Endpoint"}


def test_a_wait_condition_starts_when_the_machine_is_there_and_waits_for_one_signal() -> None:
    spec = {"db": machine(data=data(), aws={"timeout_s": 7200}), "web": machine(needs=["db"])}
    document = compiled(stack_of(blueprint(spec), branch="master"))
    (id,) = [id for id in document["Resources"] if id.startswith("db1Ready")]
    condition = document["Resources"][id]
    assert condition["DependsOn"] == ["db1", "db1Attachment"]
    assert condition["Properties"]["Timeout"] == "7200"
    assert condition["Properties"]["Count"] == 1
    # A restore takes longer than web's checks wait; nobody else waits for anybody.
    assert document["Resources"]["web1"]["DependsOn"] == [id]
    assert "DependsOn" not in document["Resources"]["db1"]


def test_who_needs_a_machine_without_data_does_not_wait_for_it() -> None:
    document = compiled(stack_of(blueprint({"a": machine(), "b": machine(needs=["a"])})))
    assert "DependsOn" not in document["Resources"]["b1"]


def test_who_needs_a_machine_that_writes_its_own_name_comes_after_it() -> None:
    """Whoever looked the name up before would be told for 15 minutes that there is none."""
    spec = {"a": machine(aws={"auto_scaling": True}), "b": machine(needs=["a"])}
    document = compiled(stack_of(blueprint(spec)))
    (wait,) = document["Resources"]["b1"]["DependsOn"]
    assert wait.startswith("a1Ready")
    assert document["Resources"][wait]["DependsOn"] == ["a1Scaling"]


def test_a_machine_that_boots_anew_is_waited_for_anew_and_the_others_are_not() -> None:
    def waits(**changes: Any) -> set[str]:
        spec = {"web": machine(), "db": machine(**changes)}
        document = compiled(stack_of(blueprint(spec)))
        return {id for id in document["Resources"] if "Ready" in id or "Handle" in id}

    before, after = waits(), waits(instance_type="t3.large")
    assert {id[:3] for id in before ^ after} == {"db1"}
    assert len(before ^ after) == 4
    assert waits(machine_tags={"a": "b"}) == before, "tags change without a new instance"


def test_machines_of_a_type_go_to_the_subnets_in_turn() -> None:
    document = compiled(stack_of(blueprint({"web": machine(count=3)})))

    def subnet(id: str) -> Any:
        data = document["Resources"][f"{id}Template"]["Properties"]["LaunchTemplateData"]
        return data["NetworkInterfaces"][0]["SubnetId"]

    assert [subnet(f"web{number}")["Fn::Select"][0] for number in (1, 2, 3)] == [0, 1, 0]


def test_a_group_of_one_is_replaced_by_aws_and_writes_its_own_names() -> None:
    spec = {"web": machine(deploy=deploy(), aws={"auto_scaling": True}, count=2)}
    document = compiled(stack_of(blueprint(spec)))
    group = document["Resources"]["web2Scaling"]["Properties"]
    assert (group["MinSize"], group["MaxSize"]) == ("1", "1")
    assert group["VPCZoneIdentifier"] == {"Ref": "SubnetIds"}
    assert all(tag["PropagateAtLaunch"] for tag in group["Tags"])
    assert of_type(document, "Route53::RecordSet") == {}
    names = ["web.feature-x.photos.internal", *_numbered("web", 2)]
    statements = {
        statement["Sid"]: statement
        for statement in document["Resources"]["webRole"]["Properties"]["Policies"][0][
            "PolicyDocument"
        ]["Statement"]
    }
    assert statements["PrivateNames"] == {
        "Sid": "PrivateNames",
        "Effect": "Allow",
        "Action": "route53:ChangeResourceRecordSets",
        "Resource": {"Fn::Join": ["", ["arn:aws:route53:::hostedzone/", {"Ref": "PrivateZone"}]]},
        "Condition": {
            "ForAllValues:StringEquals": {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": sorted(names),
                "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
                "route53:ChangeResourceRecordSetsActions": ["UPSERT"],
            }
        },
    }
    # No stack's end removes them, so it says which they are.
    assert document["Outputs"]["web1PrivateNames"]["Value"] == (
        "web1.feature-x.photos.internal,web.feature-x.photos.internal"
    )
    assert "PrivateNamesZone" not in document["Outputs"], "its own zone goes with the stack"
    there = {"private_zone": "Z0123456789", "public_addresses": True}
    there["public_zone"] = {"id": "ZPUBLIC", "name": "example.com"}
    spec["web"] |= {"endpoint": {"name": "front", "port": 80}}
    spec["web"]["ingress"] = [{"port": 80, "from": "anywhere"}]
    outputs = compiled(stack_of(blueprint(spec, aws={**AWS, **there})))["Outputs"]
    assert outputs["PrivateNamesZone"]["Value"] == "Z0123456789"
    assert outputs["PublicNamesZone"]["Value"] == "ZPUBLIC"
    assert outputs["web1PublicName"]["Value"].endswith(".example.com")


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}{number}.feature-x.photos.internal" for number in range(1, count + 1)]


def test_a_name_of_several_machines_has_all_their_addresses() -> None:
    document = compiled(stack_of(blueprint({"web": machine(count=2)})))
    assert document["Resources"]["Nameweb"]["Properties"]["ResourceRecords"] == [
        {"Fn::GetAtt": ["web1", "PrivateIp"]},
        {"Fn::GetAtt": ["web2", "PrivateIp"]},
    ]


def test_an_existing_role_is_taken_and_none_made() -> None:
    spec = blueprint(
        {"web": machine(instance_profile="ops")},
        instance_profiles={"ops": {"read": [], "role": "puppet-provisioning"}},
    )
    document = compiled(stack_of(spec))
    assert of_type(document, "IAM::Role") == {}
    assert document["Resources"]["webProfile"]["Properties"] == {"Roles": ["puppet-provisioning"]}


def test_an_existing_group_is_named_by_its_id_and_gets_no_rule() -> None:
    ops = "sg-0123456789abcdef0"
    spec = blueprint(
        {
            "web": machine(groups=["ops"]),
            "db": machine(ingress=[{"port": 22, "from": "ops"}]),
        },
        groups={"ops": {"existing": ops}},
    )
    document = compiled(stack_of(spec))
    assert set(of_type(document, "EC2::SecurityGroup")) == {"webGroup", "dbGroup"}
    ingress = of_type(document, "EC2::SecurityGroupIngress")["dbFromopstcp22"]
    assert ingress["SourceSecurityGroupId"] == ops
    # The machines that join it get the way out by their own group.
    (egress,) = of_type(document, "EC2::SecurityGroupEgress").values()
    assert egress["GroupId"] == {"Fn::GetAtt": ["webGroup", "GroupId"]}


def test_roles_are_bounded_where_the_blueprint_says_so() -> None:
    cloud = example(
        "wordpress",
        region="eu-west-1",
        bucket="own",
        permissions_boundary=BOUNDARY,
        buckets={"code": "code-bucket", "extracts": "extracts-bucket"},
    )
    roles = of_type(compiled(cloud), "IAM::Role").values()
    assert {role["PermissionsBoundary"] for role in roles} == {BOUNDARY}


@pytest.mark.parametrize(
    ("branch", "resource"),
    [
        ("*", "app-${*}.tar.gz"),
        ("a?", "app-a${?}.tar.gz"),
        ("${aws:username}", "app-${$}{aws:username}.tar.gz"),
    ],
)
def test_a_branch_cannot_widen_what_a_role_reads(branch: str, resource: str) -> None:
    cloud = stack_of(blueprint({"web": machine(deploy=deploy())}), branch=branch)
    assert f"arn:aws:s3:::code-bucket/{resource}" in readable(cloud, compiled(cloud))["web"]


def test_a_bare_debian_may_fetch_packages_and_a_ready_image_may_not() -> None:
    def open_ports(**image: str) -> set[int]:
        spec = blueprint({"web": machine()})
        spec["images"]["web"] |= image
        (group,) = of_type(compiled(stack_of(spec)), "EC2::SecurityGroup").values()
        return {rule["FromPort"] for rule in group["SecurityGroupEgress"]}

    assert open_ports() == {443, 80}
    assert open_ports(ami="ami-0123456789abcdef0") == {443}
    assert open_ports(ami="/images/web") == {443}


def test_ids_of_resources_tell_their_machine() -> None:
    cloud = stack_of(blueprint({"web": machine(count=12), "web-1": machine(count=2)}))
    document = compiled(cloud)
    ids = logical_ids(cloud)
    assert len(set(ids.machines.values())) == 14
    for id, resource in document["Resources"].items():
        owner = ids.machine_of(id)
        if resource["Type"] in ("AWS::EC2::Instance", "AWS::CloudFormation::WaitCondition"):
            assert owner is not None and id.startswith(ids.machines[owner])
        if resource["Type"] in ("AWS::EC2::SecurityGroup", "AWS::IAM::Role"):
            assert owner is None, id


def test_ids_of_the_network_are_defaults_and_names_are_not() -> None:
    by_id = compiled(stack_of(blueprint({"web": machine()})))["Parameters"]
    assert by_id["VpcId"]["Default"] == "vpc-0123456789abcdef0"
    assert by_id["SubnetIds"]["Default"] == "subnet-0123456789abcdef0,subnet-0123456789abcdef1"
    assert "Default" not in compiled(example("photos"))["Parameters"]["VpcId"]
