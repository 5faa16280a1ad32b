"""What AWS does not allow: met when the template is compiled, with the number and the way out."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from string import ascii_lowercase
from typing import Any

import pytest
from tests.cloud_stacks import AWS, Document, blueprint, compiled, data, deploy, machine, stack_of

from greenroom.errors import InputError
from greenroom.model.cloud import CloudStack
from greenroom.providers.aws.template import CompiledTemplate, compile_template

RULES = [{"port": port, "from": "anywhere"} for port in range(1000, 1012)]


def large(types: int = 25, count: int = 2) -> CloudStack:
    """An environment of some 800 resources: its types need, admit and name each other."""
    names = [f"type-{letter}" for letter in ascii_lowercase[:types]]
    machines = {
        name: machine(
            count=count,
            ingress=[*RULES, {"port": 80, "from": names[number - 1]}],
            needs=names[:1] if number else [],
            groups=["base"],
        )
        for number, name in enumerate(names)
    }
    groups = {"base": {"ingress": [{"port": 22, "from": name} for name in names[:3]]}}
    return stack_of(blueprint(machines, groups=groups))


def flattened(compiled_: CompiledTemplate, cloud: CloudStack) -> Document:
    """The resources of parent and nested templates as if they were one, references and all."""
    parent = json.loads(compiled_.body)
    nested = {each.key: json.loads(each.body) for each in compiled_.nested}
    resources: Document = {}
    inner: Document = {}
    for id, resource in parent["Resources"].items():
        if resource["Type"] != "AWS::CloudFormation::Stack":
            resources[id] = resource
            continue
        url = resource["Properties"]["TemplateURL"]
        assert url.startswith(f"{cloud.s3_url}/{cloud.bucket}/")
        inner[id] = nested.pop(url.removeprefix(f"{cloud.s3_url}/{cloud.bucket}/"))
    assert nested == {}, "nobody names these"

    def outward(value: Any) -> Any:
        match value:
            case {"Fn::GetAtt": [str(id), str(name)]} if id in inner:
                return inner[id]["Outputs"][name.removeprefix("Outputs.")]["Value"]
            case {"Fn::Join": [",", {"Ref": str(id)}]}:
                return {"Ref": id}
        return value

    for id, template in inner.items():
        given = parent["Resources"][id]["Properties"]["Parameters"]
        assert given.keys() == template["Parameters"].keys()

        def inward(value: Any, given: Document = given) -> Any:
            if isinstance(value, dict) and value.get("Ref") in given:
                return outward(given[value["Ref"]])
            return value

        resources |= _mapped(template["Resources"], inward)
    return {
        "Resources": _mapped(resources, outward),
        "Outputs": _mapped(parent["Outputs"], outward),
    }


def _mapped(value: Any, change: Any) -> Any:
    changed = change(value)
    if changed is not value:
        return changed
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return value


def without_order(document: Document) -> Document:
    """The order of other stacks' resources is that of the stacks."""
    for resource in document["Resources"].values():
        resource.pop("DependsOn", None)
    return {"Resources": document["Resources"], "Outputs": document["Outputs"]}


def test_past_500_resources_each_machine_type_gets_a_nested_stack_of_its_own() -> None:
    cloud = large()
    result = compile_template(cloud)
    assert result.resources > 500
    assert len(result.nested) == 25
    for body in (result.body, *(each.body for each in result.nested)):
        assert 0 < len(json.loads(body)["Resources"]) <= 500
    for each in result.nested:
        digest = hashlib.sha256(each.body.encode()).hexdigest()
        assert each.key == f"templates/photos/feature-x/{digest}.json"


def test_nested_templates_say_together_what_one_would_say(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = large()
    nested = flattened(compile_template(cloud), cloud)
    for module in ("document", "compile"):
        monkeypatch.setattr(f"greenroom.providers.aws.template.{module}.RESOURCES_MAX", 10_000)
    whole = compiled(cloud)
    assert without_order(nested) == without_order(whole)
    assert nested["Resources"].keys() == whole["Resources"].keys()


def test_who_waits_for_a_machine_waits_for_its_stack() -> None:
    machines = {
        f"type-{letter}": machine(count=2, ingress=RULES, needs=["db"])
        for letter in ascii_lowercase[:20]
    }
    cloud = stack_of(blueprint({"db": machine(data=data()), **machines}))
    parent = json.loads(compile_template(cloud).body)["Resources"]
    assert parent["typecStack"]["DependsOn"] == ["dbStack"]
    assert "DependsOn" not in parent["dbStack"]


def test_what_is_too_much_even_then_is_refused_with_its_number() -> None:
    rules = [{"port": port, "from": "anywhere"} for port in range(1, 520)]
    with pytest.raises(InputError) as raised:
        compile_template(stack_of(blueprint({"web": machine(ingress=rules)})))
    assert raised.value.code == "E_AWS_TEMPLATE_SIZE"
    assert raised.value.message == (
        "the template of photos/feature-x, made by greenroom: webStack has 527 resources; "
        "CloudFormation allows 500"
    )


def test_500_resources_compile_to_one_template_and_501_do_not() -> None:
    def result(rules: int) -> CompiledTemplate:
        ingress = [{"port": port, "from": "anywhere"} for port in range(1, rules + 1)]
        return compile_template(stack_of(blueprint({"web": machine(ingress=ingress)})))

    fixed = result(0).resources
    assert result(500 - fixed).nested == ()
    assert result(500 - fixed).resources == 500
    assert Counter(len(result(501 - fixed).nested) for _ in range(1)) == {1: 1}


def user_data_of(length: int) -> CloudStack:
    cloud = stack_of(blueprint({"web": machine()}))
    (web,) = cloud.stack.machines
    text = web.user_data + "#" * (length - len(web.user_data))
    return replace(cloud, stack=replace(cloud.stack, machines=(replace(web, user_data=text),)))


def test_user_data_leaves_room_for_what_cloudformation_puts_into_it() -> None:
    # Two URLs of up to 1,024 bytes instead of two marks of 21.
    limit = 16384 - 2 * (1024 - len("<wait handle of web1>"))
    compile_template(user_data_of(limit))
    with pytest.raises(InputError) as raised:
        compile_template(user_data_of(limit + 1))
    assert raised.value.code == "E_USER_DATA"
    assert raised.value.message == (
        "the user data of web1 has up to 16385 bytes with the URL of its wait handle; "
        "EC2 allows 16384"
    )


PUBLIC = {**AWS, "public_zone": {"id": "Z0PUBLIC", "name": "example.com"}}
ENDPOINT = {"endpoint": {"name": "api", "port": 80}}
WEB = machine(ingress=[{"port": 80, "from": "anywhere"}], **ENDPOINT)


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (
            blueprint({"web": WEB}, aws=PUBLIC),
            "E_AWS_PUBLIC_NAME",
            "the endpoint 'api' of web1 is to be called api.feature-x.example.com, "
            "but machines have no public addresses",
        ),
        (
            blueprint(
                {
                    "web": machine(ingress=[{"port": 80, "from": "meter"}]),
                    "meter": machine(shared=True),
                }
            ),
            "E_AWS_SHARED",
            "the group 'web' admits meter of every environment: rules between environments are "
            "local only so far",
        ),
        (
            blueprint({"web": machine(groups=["ops"])}, groups={"ops": {"existing": "puppeteers"}}),
            "E_AWS_GROUP",
            "groups.ops.existing: 'puppeteers' is not the id of a security group; in a VPC groups "
            "have ids, names are for target classic",
        ),
        (
            blueprint({"web": machine(machine_tags={"greenroom:stack": "mine"})}),
            "E_AWS_TAG",
            "the machine type 'web' has the tag 'greenroom:stack'; tags that begin with "
            "'greenroom:' are greenroom's own on AWS",
        ),
        (
            blueprint(
                {"web": machine(groups=["base"])}, groups={"base": {"tags": {"greenroom:x": "y"}}}
            ),
            "E_AWS_TAG",
            "the group 'base' has the tag 'greenroom:x'; tags that begin with 'greenroom:' are "
            "greenroom's own on AWS",
        ),
        (
            blueprint({"web": machine(machine_tags={f"k{n}": "v" for n in range(41)})}),
            "E_AWS_TAG",
            "web1 would have 51 tags with those of its groups and its stack; AWS allows 50",
        ),
        (
            blueprint(
                {"web": machine(groups=[f"g{n}" for n in range(16)])},
                groups={f"g{n}": {} for n in range(16)},
            ),
            "E_AWS_GROUP",
            "web1 joins 17 groups with its type's own; a network interface has at most 16",
        ),
    ],
)
def test_what_aws_refuses_is_refused_before(spec: Document, code: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        compile_template(stack_of(spec))
    assert (raised.value.code, raised.value.message) == (code, message)
    assert raised.value.hint


def test_a_key_that_no_policy_can_name_is_refused() -> None:
    with pytest.raises(InputError) as raised:
        compile_template(stack_of(blueprint({"web": machine(deploy=deploy())}), branch="分支"))
    assert raised.value.code == "E_AWS_KEY"


@pytest.mark.parametrize(
    ("spec", "branch"),
    [
        (machine(), "{{resolve:secretsmanager:prod/db}}"),
        (machine(machine_tags={"note": "{{resolve:ssm:/prod/key:1}}"}), "feature_x"),
        (machine(check=[{"command": ["true", "{{resolve:ssm:/prod/key}}"]}]), "feature_x"),
    ],
    ids=["branch", "tag", "check"],
)
def test_nobody_has_cloudformation_look_a_secret_up(spec: Document, branch: str) -> None:
    with pytest.raises(InputError) as raised:
        compile_template(stack_of(blueprint({"web": spec}), branch=branch))
    assert raised.value.code == "E_AWS_REFERENCE"
    assert "has '{{resolve:' in web" in raised.value.message


def test_a_group_keeps_its_description_whatever_the_blueprint_calls_it() -> None:
    def group(description: str) -> Document:
        spec = blueprint(
            {"web": machine(groups=["base"])}, groups={"base": {"description": description}}
        )
        found: Document = compiled(stack_of(spec))["Resources"]["baseGroup"]["Properties"]
        return found

    one, other = group("it's “every” machine"), group("")
    # EC2 takes no other characters here, and makes a new group of a new description.
    assert one["GroupDescription"] == "photos/feature-x/base of greenroom"
    assert other["GroupDescription"] == one["GroupDescription"]
    assert {"Key": "greenroom:description", "Value": "it's “every” machine"} in one["Tags"]
