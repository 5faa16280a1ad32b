"""cfn-lint, with the resource specification of the blueprint's region, finds nothing."""

from __future__ import annotations

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from hypothesis import given, settings

from greenroom.blueprint.parse import load_blueprint
from greenroom.model.cloud import CloudStack, Target
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import plan_cloud
from greenroom.providers.aws.template import compile_template
from tests.cloud_stacks import (
    AWS,
    BRANCHES,
    EXAMPLES,
    Document,
    asked,
    blueprint,
    blueprints,
    data,
    example,
    machine,
    stack_of,
)

PLACE = {
    "region": "eu-west-1",
    "bucket": "own-bucket",
    "public_addresses": True,
    "public_zone": {"id": "Z0PUBLIC", "name": "example.com"},
}


def findings(cloud: CloudStack, target: Target = Target.VPC) -> list[str]:
    """What cfn-lint says above information of the template and all nested ones."""
    template = compile_template(cloud, target)
    bodies = [template.body, *(each.body for each in template.nested)]
    return [found for body in bodies for found in lint_body(body, cloud.region)]


def lint_body(body: str, region: str) -> list[str]:
    """cfn-lint's warnings and errors, in its default configuration."""
    # The rules are loaded by the call, with those for information left out.
    matches = lint(body, config=ManualArgs(regions=[region]))
    return [
        f"{match.rule.id} {match.message} at {'/'.join(map(str, match.path or []))}"
        for match in matches
    ]


def test_cfn_lint_would_find_something() -> None:
    body = """{"Resources": {"a": {"Type": "AWS::EC2::Instance",
        "Properties": {"SubnetId": {"Ref": "nowhere"}, "InstanceType": "t3.gigantic"}}}}"""
    assert {found.partition(" ")[0] for found in lint_body(body, "eu-west-1")} >= {"E1020"}


@pytest.mark.parametrize("branch", ["feature_x", "master"])
def test_the_photo_feed_is_clean(branch: str) -> None:
    assert findings(example("photos", branch)) == []


@pytest.mark.parametrize(("name", "buckets"), [("wordpress", "code extracts"), ("cluster", "code")])
def test_other_examples_are_clean_where_they_are_given_a_place(name: str, buckets: str) -> None:
    names = {bucket: f"{bucket}-bucket" for bucket in buckets.split()}
    assert findings(example(name, **PLACE, buckets=names)) == []


def test_the_seeds_own_stack_is_clean_in_its_shape() -> None:
    path = EXAMPLES / "eyeem" / "greenroom.yaml"
    request = CreateRequest(
        blueprint=path,
        machines=("backend", "db", "feed"),
        branch="feature_x",
        restore=(("db", "extract"),),
    )
    cloud = plan_cloud(load_blueprint(path), request, asked(Target.CLASSIC))
    assert findings(cloud, Target.CLASSIC) == []


@settings(max_examples=8, derandomize=True, deadline=None)
@given(blueprints(), BRANCHES)
def test_whatever_can_be_written_compiles_to_a_clean_template(
    written: Document, branch: str
) -> None:
    assert findings(stack_of(written, branch=branch)) == []


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-south-1", "cn-north-1"])
def test_other_regions_are_clean(region: str) -> None:
    spec = {
        "db": machine(data=data(), instance_type="m5.large"),
        "web": machine(needs=["db"], aws={"auto_scaling": True}, instance_type="m5.large"),
    }
    assert findings(stack_of(blueprint(spec, aws={**AWS, "region": region}), branch="master")) == []


def test_nested_templates_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same templates as past 500 resources; cfn-lint takes half a minute for so many.
    monkeypatch.setattr("greenroom.providers.aws.template.compile.RESOURCES_MAX", 20)
    spec = {"db": machine(data=data()), "web": machine(needs=["db"], count=2)}
    cloud = stack_of(blueprint(spec), branch="master")
    assert len(compile_template(cloud).nested) == 2
    assert findings(cloud) == []
