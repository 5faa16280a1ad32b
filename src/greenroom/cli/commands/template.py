"""``greenroom template``: pure as ``plan`` is, so it needs neither credentials nor an account."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenroom.cli.declare import JSON, Option, command
from greenroom.cli.request import REQUEST, Wanted
from greenroom.cli.terminal import note, say, say_json
from greenroom.cli.words import rewrite_words
from greenroom.errors import UsageError

if TYPE_CHECKING:
    from greenroom.model.cloud import CloudStack, Target
    from greenroom.providers.aws.template import CompiledTemplate

REGION_VARIABLE = "AWS_REGION"
FORMATS = ("json", "yaml")
TARGETS = ("vpc", "classic")


@command(
    "template",
    *REQUEST,
    Option(
        "--target",
        metavar="vpc|classic",
        help="The shape: for a VPC of today, or the seed's with groups by name [default: vpc].",
    ),
    Option("--format", metavar="json|yaml", help="How it is written [default: json]."),
    Option("--region", help=f"The AWS region [default: {REGION_VARIABLE}, else the blueprint's]."),
    JSON,
    rewrite=rewrite_words,
)
def template(
    target: str | None, format: str | None, region: str | None, as_json: bool, **asked: Any
) -> None:
    """Print the CloudFormation template of a create.

    Takes the words of create. It asks nothing of AWS: the ids of VPC and subnets are parameters,
    unless the blueprint gives them.
    """
    _be_quick()
    agent = _agent_sha256()
    written = one_of("--format", format, FORMATS)
    from greenroom.model.cloud import Target

    shape = Target(one_of("--target", target, TARGETS))
    place = region or os.environ.get(REGION_VARIABLE) or None
    cloud = _planned(Wanted(**asked), shape, place, agent)
    compiled = _compiled(cloud, shape)
    document = json.loads(compiled.body)
    if as_json:
        nested = {each.key: json.loads(each.body) for each in compiled.nested}
        resources = compiled.resources
        say_json({"template": document, "nested": nested, "resources": resources})
        return
    if compiled.nested:
        note(f"it names {len(compiled.nested)} nested templates, which --json prints as well")
    say(_as_yaml(compiled.body) if written == "yaml" else json.dumps(document, indent=2))


def one_of(option: str, value: str | None, allowed: tuple[str, ...]) -> str:
    """The value, or the first that is allowed; raises UsageError E_USAGE."""
    if value is None:
        return allowed[0]
    if value not in allowed:
        raise UsageError(
            "E_USAGE",
            f"{option} {value!r}: expected {' or '.join(allowed)}",
            hint=f"{option} {allowed[0]} is what greenroom takes without it",
        )
    return value


def _be_quick() -> None:
    """What follows is nearly all import, and then the process ends: no garbage is worth being
    looked for, and no plugin of pydantic either. Together a tenth of the time."""
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _agent_sha256() -> Callable[[], str]:
    """What gives the agent's hash. A child packs the agent while this process imports: a sixth of
    the time, where there are two cores."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            from greenroom.agent_archive import build_agent

            os.write(write, build_agent().sha256.encode())
        finally:
            # No handler, no buffer and no error of the parent's is the child's to end.
            os._exit(0)
    os.close(write)

    def sha256() -> str:
        with os.fdopen(read) as pipe:
            found = pipe.read()
        os.waitpid(child, 0)
        if found:
            return found
        from greenroom.agent_archive import build_agent

        return build_agent().sha256

    return sha256


def _planned(
    wanted: Wanted, target: Target, region: str | None, agent_sha256: Callable[[], str]
) -> CloudStack:
    from datetime import UTC, datetime

    from greenroom.blueprint.parse import load_blueprint
    from greenroom.plan.cloud import CloudAsk, plan_cloud

    blueprint = load_blueprint(wanted.blueprint)
    ask = CloudAsk(
        agent_sha256=agent_sha256(),
        # Owner and end of life are tags of the stack, which its template does not hold.
        owner="",
        now=datetime.now(UTC),
        taken={},
        region=region,
        target=target,
    )
    return plan_cloud(blueprint, wanted.create_request(), ask)


def _compiled(cloud: CloudStack, target: Target) -> CompiledTemplate:
    from greenroom.providers.aws.template import compile_template

    return compile_template(cloud, target)


def _as_yaml(body: str) -> str:
    # What troposphere writes YAML with; short forms such as !Ref.
    from cfn_flip import to_yaml  # type: ignore[import-untyped]

    text: str = to_yaml(body)
    return text.rstrip("\n")
