"""Stacks on AWS for tests: those of the examples, and others drawn at random.

All of them go through the real parser and planner, so no test compiles what nobody could write.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st

from greenroom.blueprint.parse import load_blueprint, parse_blueprint
from greenroom.blueprint.schema import Blueprint
from greenroom.model.cloud import CloudStack, Target
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.providers.aws.template import compile_template

EXAMPLES = Path(__file__).parents[1] / "examples"
NOWHERE = Path("/srv/stack/greenroom.yaml")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
AGENT = "ab" * 32

Document = dict[str, Any]

AWS: Document = {
    "region": "eu-west-1",
    "bucket": "own-bucket",
    "buckets": {"code": "code-bucket", "extracts": "extracts-bucket"},
    "vpc": "vpc-0123456789abcdef0",
    "subnets": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
}


def asked(target: Target = Target.VPC, **changes: Any) -> CloudAsk:
    """What neither blueprint nor request says."""
    values = {"agent_sha256": AGENT, "owner": "ada", "now": NOW, "taken": {}, "target": target}
    return CloudAsk(**{**values, **changes})


def stack_of(blueprint: Document, *machines: str, branch: str | None = "feature_x") -> CloudStack:
    """The environment of a blueprint that is given as a value."""
    # JSON is YAML.
    parsed = parse_blueprint(json.dumps(blueprint), NOWHERE)
    request = CreateRequest(blueprint=NOWHERE, machines=machines, branch=branch)
    return plan_cloud(parsed, request, asked())


def example(name: str, branch: str | None = "feature_x", **aws: Any) -> CloudStack:
    """An example's environment, as its blueprint or ``aws`` says where it stands."""
    path = EXAMPLES / name / "greenroom.yaml"
    request = CreateRequest(blueprint=path, branch=branch)
    if not aws:
        return plan_cloud(_loaded(path), request, asked())
    return plan_cloud(_loaded(path, f"aws: {json.dumps(aws)}\n"), request, asked())


@cache
def _loaded(path: Path, aws: str = "") -> Blueprint:
    """An example's blueprint, which nobody can change, so that it is read once."""
    if not aws:
        return load_blueprint(path)
    text = path.read_text()
    assert "\naws:" not in text, path
    return parse_blueprint(f"{text}\n{aws}", path)


def compiled(cloud: CloudStack) -> Document:
    """The template, of a stack that needs no nested ones."""
    template = compile_template(cloud)
    assert template.nested == ()
    document: Document = json.loads(template.body)
    return document


def machine(image: str = "web", **more: Any) -> Document:
    """A machine type."""
    return {"image": image, "ingress": [], **more}


def blueprint(machines: Document, *, aws: Document | None = None, **more: Any) -> Document:
    """A blueprint with these machine types, in images that are all alike."""
    names = {spec["image"] for spec in machines.values()}
    image = {"services": {"main": {"command": "exec main"}}}
    return {
        "stack": "photos",
        "zone": "photos.internal",
        "buckets": {"code": {"path": "artifacts"}, "extracts": {"path": "data"}},
        "images": {name: dict(image) for name in sorted(names)},
        "machines": machines,
        "aws": AWS if aws is None else aws,
        **more,
    }


def data() -> Document:
    """The data of a machine type."""
    return {
        "engine": "mariadb",
        "database": "app",
        "user": "app",
        "directory": "/data",
        "service": "main",
        "default": "extract",
        "restore": {"extract": {"bucket": "extracts", "manifest": "extract/manifest.json"}},
    }


def deploy() -> Document:
    """The code of a machine type."""
    return {"bucket": "code", "artifact": "app-{branch}.tar.gz", "directory": "/srv/app"}


BOUNDARY = "arn:aws:iam::123456789012:policy/bound"
NAMES = ("web", "db", "web-1", "api", "search", "x")
GROUPS = ("base", "admin-net")


@st.composite
def blueprints(draw: st.DrawFn) -> Document:
    """A blueprint with every kind of thing that ends in a template, in random company."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    groups = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
    joined = {
        name: draw(st.lists(st.sampled_from(groups), unique=True)) if groups else []
        for name in names
    }
    endpoints = draw(st.booleans())
    machines = {}
    for name in names:
        kind = draw(st.sampled_from(["plain", "data", "snapshot", "code", "scaling"]))
        machines[name] = {
            **machine(groups=joined[name], count=draw(st.integers(1, 3))),
            "ingress": draw(_ingress([*names, *groups])),
            "needs": draw(st.lists(st.sampled_from(list(machines)), max_size=2, unique=True))
            if machines
            else [],
            "instance_type": draw(st.sampled_from(["t3.nano", "t4g.small", "m5.large"])),
            "machine_tags": draw(_tags),
            **_of_kind(kind),
        }
    first = machines[names[0]]
    if endpoints:
        first["endpoint"] = {"name": "front", "port": 80}
        first["ingress"] = [r for r in first["ingress"] if r["port"] != 80]
        first["ingress"].append({"port": 80, "from": "anywhere"})
    aws = {**AWS, **draw(_aws(endpoints))}
    described = {g: {"description": draw(st.text("a'é<ü,", max_size=150))} for g in groups}
    return blueprint(machines, aws=aws, groups=described)


_tags = st.dictionaries(st.sampled_from(["Name", "a:b"]), st.text("aé /<'", max_size=9), max_size=2)


def _ingress(sources: list[str]) -> st.SearchStrategy[list[Document]]:
    rule = st.fixed_dictionaries(
        {
            "port": st.sampled_from([80, 443, 3306, "8000-8100"]),
            "from": st.sampled_from([*sources, "anywhere", "10.0.0.0/8", "192.0.2.7/32"]),
            "protocol": st.sampled_from(["tcp", "udp"]),
        }
    )
    return st.lists(rule, max_size=4)


def _of_kind(kind: str) -> Document:
    match kind:
        case "data":
            return {"data": data(), "aws": {"data_gib": 40, "timeout_s": 7200}}
        case "snapshot":
            return {"data": data(), "aws": {"snapshots": {"extract": "snap-0123456789abcdef0"}}}
        case "code":
            return {"deploy": deploy()}
        case "scaling":
            return {"deploy": deploy(), "aws": {"auto_scaling": True}}
    return {}


@st.composite
def _aws(draw: st.DrawFn, endpoints: bool) -> Document:
    public = draw(st.booleans())
    return {
        "public_addresses": public,
        **({"public_zone": {"id": "Z0PUBLIC", "name": "example.com"}} if public else {}),
        **draw(st.sampled_from([{}, {"private_zone": "Z0PRIVATE"}])),
        **draw(st.sampled_from([{}, {"key_name": "ops", "permissions_boundary": BOUNDARY}])),
        **draw(st.sampled_from([{}, {"vpc": "staging", "subnets": ["a", "b", "c"]}])),
    }


BRANCHES = st.sampled_from(["feature_x", "master", "feature/é#1", "a b"])
