"""Target classic against the template of the talk, and what that shape cannot say."""
# ruff: noqa: E501 - a case is one line, so that the tables can be read as such.

from __future__ import annotations

import copy
import difflib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from greenroom.blueprint.parse import load_blueprint, parse_blueprint
from greenroom.errors import InputError
from greenroom.model.cloud import CloudStack, Target
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.plan.user_data import USER_DATA_BYTES_MAX
from greenroom.providers.aws.template import compile_template

EYEEM = Path(__file__).parents[2] / "examples" / "eyeem" / "greenroom.yaml"
REFERENCE = Path(__file__).parent / "data" / "seed-template.json"

Document = dict[str, Any]


def planned(
    *machines: str,
    text: str | None = None,
    branch: str = "feature_x",
    restore: tuple[tuple[str, str], ...] = (("db", "extract"),),
    target: Target = Target.CLASSIC,
) -> CloudStack:
    blueprint = load_blueprint(EYEEM) if text is None else parse_blueprint(text, EYEEM)
    request = CreateRequest(blueprint=EYEEM, machines=machines, branch=branch, restore=restore)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    ask = CloudAsk(agent_sha256="ab" * 32, owner="lars", now=now, taken={}, target=target)
    return plan_cloud(blueprint, request, ask)


def compiled(*machines: str, **options: Any) -> Document:
    document: Document = json.loads(body_of(planned(*machines, **options)))
    return document


def body_of(cloud: CloudStack) -> str:
    return compile_template(cloud, Target.CLASSIC).body


def edited(*changes: tuple[str, str]) -> str:
    text = EYEEM.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def without_user_data(document: Document) -> Document:
    """All of it, but of the user data only which handle it names, however often."""
    bare = copy.deepcopy(document)
    for resource in bare["Resources"].values():
        if resource["Type"] == "AWS::EC2::Instance":
            parts = resource["Properties"]["UserData"]["Fn::Base64"]["Fn::Join"][1]
            handles = {part["Ref"] for part in parts if not isinstance(part, str)}
            resource["Properties"]["UserData"] = sorted(handles)
    return bare


def with_transcription_slips_mended(reference: Document) -> Document:
    """The slides' text lost a space in one description, and has one too many in the user data."""
    text = json.dumps(reference)
    for slip, meant, times in (
        ("DNS Endpoint to feature_xAPI staging", "DNS Endpoint to feature_x API staging", 1),
        ("provisioning/ provisioning-", "provisioning/provisioning-", 0),
        ("management/ provisioning-", "management/provisioning-", 3),
    ):
        assert text.count(slip) == times, slip
        text = text.replace(slip, meant)
    mended: Document = json.loads(text)
    return mended


def lines_of(document: Document) -> list[str]:
    return json.dumps(document, indent=2, sort_keys=True).splitlines()


def difference(reference: Document, ours: Document) -> str:
    return "\n".join(
        difflib.unified_diff(
            lines_of(reference), lines_of(ours), "the talk's", "ours", n=4, lineterm=""
        )
    )


def test_the_command_of_the_talk_gives_the_template_of_the_talk() -> None:
    reference = with_transcription_slips_mended(json.loads(REFERENCE.read_text()))
    ours = compiled("backend", "db", "feed")
    told = difference(without_user_data(reference), without_user_data(ours))
    assert not told, f"target classic differs from the talk's template:\n{told}"
    assert (len(ours["Resources"]), len(ours["Outputs"])) == (15, 7)


def test_the_command_itself_prints_what_is_compared_here() -> None:
    words = "template --target classic --machines backend db feed --restore_db extract --branch feature_x"
    argv = [sys.executable, "-m", "greenroom.cli", *words.split()]
    ran = subprocess.run(
        argv, cwd=EYEEM.parent, check=True, capture_output=True, text=True, timeout=30
    )
    reference = with_transcription_slips_mended(json.loads(REFERENCE.read_text()))
    told = difference(without_user_data(reference), without_user_data(json.loads(ran.stdout)))
    assert not told, f"greenroom {words} differs from the talk's template:\n{told}"


def test_a_difference_would_be_seen_and_shown() -> None:
    reference = with_transcription_slips_mended(json.loads(REFERENCE.read_text()))
    reference["Resources"]["db1"]["Properties"]["Tags"][0]["Value"] = "false"
    told = difference(without_user_data(reference), without_user_data(compiled()))
    assert '-            "Value": "false"' in told
    assert '+            "Value": "true"' in told


def test_the_user_data_is_the_boot_script_with_the_handle_in_the_place_of_its_mark() -> None:
    cloud = planned()
    document = json.loads(body_of(cloud))
    for machine in cloud.stack.machines:
        user_data = document["Resources"][machine.name]["Properties"]["UserData"]
        separator, parts = user_data["Fn::Base64"]["Fn::Join"]
        handle = {"Ref": f"{machine.name}puppetwaithandle"}
        assert separator == ""
        assert parts.count(handle) == machine.user_data.count(f"<wait handle of {machine.name}>")
        url = "https://cloudformation-waitcondition.example/signed"
        text = "".join(url if part == handle else part for part in parts)
        assert text.startswith("#!/bin/sh\n")
        assert f"signal_url='{url}'" in text
        assert '"data_volume":false' in text
        assert "<" not in text.partition("boot_json=")[2].partition("\n")[0]
        assert len(text) <= USER_DATA_BYTES_MAX


def test_the_same_stack_gives_the_same_bytes() -> None:
    assert body_of(planned()) == body_of(planned())


def test_an_alias_gives_the_machine_of_its_type() -> None:
    assert compiled("backend", "db", "feed") == compiled("backend", "db", "redis") == compiled()


def test_several_machines_of_a_type_share_its_group_and_profile_and_one_has_the_name() -> None:
    resources = compiled("backend=2", "db", "feed")["Resources"]
    kinds = [resource["Type"] for resource in resources.values()]
    assert kinds.count("AWS::EC2::Instance") == 4
    assert kinds.count("AWS::EC2::SecurityGroup") == 3
    assert kinds.count("AWS::IAM::InstanceProfile") == 2
    assert kinds.count("AWS::CloudFormation::WaitCondition") == 4
    assert resources["apiendpoint"]["Properties"]["ResourceRecords"] == [
        {"Fn::GetAtt": ["backend1", "PublicDnsName"]}
    ]


def test_an_empty_database_bears_no_tag_of_a_restore() -> None:
    resources = compiled("db", restore=(("db", "none"),))["Resources"]
    assert resources["db1"]["Properties"]["Tags"] == []


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        ("feature_x", "api.feature_x.eyeem.com."),
        ("Search-2", "api.Search-2.eyeem.com."),
        ("feature/x", "api.feature-x-81b6f4.eyeem.com."),
    ],
)
def test_the_endpoint_has_the_branch_in_its_name_where_a_host_name_can_hold_it(
    branch: str, name: str
) -> None:
    cloud = planned(branch=branch)
    document = json.loads(body_of(cloud))
    expected = name.replace("feature-x-81b6f4", cloud.stack.environment.slug)
    assert document["Resources"]["apiendpoint"]["Properties"]["Name"] == expected
    assert "/" not in expected


def test_without_a_public_zone_there_is_neither_record_nor_its_output() -> None:
    text = edited(("  public_zone: {id: Z3HTG0V9588TAA, name: eyeem.com}\n", ""))
    document = compiled(text=text)
    assert "apiendpoint" not in document["Resources"]
    assert [name for name in document["Outputs"] if "Endpoint" in name] == []


def test_a_snapshot_is_no_use_without_volumes_so_the_agent_restores() -> None:
    text = edited(
        ("      - {tcp: 3306}\n    aws: {", "      - {tcp: 3306}\n    aws: {snapshots: {extract: snap-01234567}, ")
    )  # fmt: skip
    with_volume = planned(text=text, target=Target.VPC)
    assert with_volume.machine("db1").volume is not None
    assert '"mode":"clone"' in with_volume.stack.machine("db1").user_data
    user_data = planned(text=text).stack.machine("db1").user_data
    assert '"mode":"cold"' in user_data
    assert '"data_volume":false' in user_data


def refusal(cloud: CloudStack) -> str:
    with pytest.raises(InputError) as raised:
        compile_template(cloud, Target.CLASSIC)
    assert raised.value.code == "E_AWS_CLASSIC"
    assert raised.value.hint
    return raised.value.message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    aws: {timeout_s: 7200, repeated_tags", "    aws: {auto_scaling: true, repeated_tags", "target classic has no Auto Scaling groups for backend1"),
        ("existing: puppeteers", "existing: sg-0123456789abcdef0", "target classic joins groups by name, and 'puppeteers' is given by its id 'sg-0123456789abcdef0'"),
        ("dbprovisioning: {role: extract-access}", "dbprovisioning: {}", "target classic makes no roles, and the instance profile 'dbprovisioning' of db1 names none"),
        ("{port: 80, from: anywhere}", "{port: 80, from: anywhere}, {port: 81, from: db}", "in target classic the rules of groups cannot form a circle: backend → db → backend"),
        ("{port: 6379, from: backend}", "{port: 6379, from: redis}", "in target classic the rules of groups cannot form a circle: redis → redis"),
    ],
)  # fmt: skip
def test_what_the_shape_cannot_say_is_refused(old: str, new: str, message: str) -> None:
    if "}, {" in new:
        new = new.replace("}, {", "}\n      - {")
    cloud = planned(text=edited((old, new)))
    told = refusal(cloud)
    # Where a circle begins is the library's choice.
    assert told == message or told == message.replace("backend → db → backend", "db → backend → db")


def test_a_stack_that_was_planned_with_volumes_is_refused() -> None:
    assert refusal(planned(target=Target.VPC)) == (
        "target classic has no data volumes, and db1 was planned with one"
    )


def test_names_that_differ_in_dashes_only_are_refused() -> None:
    text = EYEEM.read_text()
    start, end = text.index("  redis:\n    # The command"), text.index("instance_profiles:")
    other = text[start:end].replace("  redis:", "  re-dis:", 1).replace("[feed]", "[feeds]")
    cloud = planned(text=text[:end] + other + text[end:])
    assert refusal(cloud) == "two resources of target classic would both be called 'redissg'"


def test_an_ami_by_parameter_is_resolved_by_cloudformation() -> None:
    parameter = "/aws/service/debian/release/12/latest/amd64"
    resources = compiled(text=edited(("ami-f2191786", parameter)))["Resources"]
    assert resources["backend1"]["Properties"]["ImageId"] == f"{{{{resolve:ssm:{parameter}}}}}"
