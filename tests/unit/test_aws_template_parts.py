"""The template of target vpc for stacks that are known: what each part of it says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tests.cloud_stacks import (
    AWS,
    BOUNDARY,
    blueprint,
    compiled,
    data,
    deploy,
    example,
    machine,
    stack_of,
)
from tests.unit.template_readings import of_type, readable

from greenroom.providers.aws.template.names import logical_ids


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
