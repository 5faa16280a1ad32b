"""``greenroom template``: pure as ``plan`` is, so it needs neither credentials nor an account."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from greenroom.cli.beside import Compiler
from greenroom.cli.declare import JSON, Option, command
from greenroom.cli.request import REQUEST, Wanted
from greenroom.cli.terminal import note, say, say_json
from greenroom.cli.words import rewrite_words
from greenroom.errors import UsageError

if TYPE_CHECKING:
    from greenroom.model.cloud import CloudStack, Target

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
    with _in_haste():
        _print(target, format, region, as_json, asked)


def _print(
    target: str | None, format: str | None, region: str | None, as_json: bool, asked: dict[str, Any]
) -> None:
    wanted = Wanted(**asked)
    compiler = Compiler(wanted.blueprint)
    written = one_of("--format", format, FORMATS)
    from greenroom.model.cloud import Target

    shape = Target(one_of("--target", target, TARGETS))
    place = region or os.environ.get(REGION_VARIABLE) or None
    cloud = _planned(wanted, shape, place, compiler)
    compiled = compiler.compiled(cloud, shape)
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


@contextmanager
def _in_haste() -> Iterator[None]:
    """What is done here is nearly all import, and then the process ends: no garbage is worth
    being looked for, and no plugin of pydantic either. Together a tenth of the time."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.disable()
    try:
        yield
    finally:
        # Nor at the end, when the interpreter would look through all that was imported.
        gc.freeze()
        gc.enable()


def _planned(wanted: Wanted, target: Target, region: str | None, compiler: Compiler) -> CloudStack:
    from datetime import UTC, datetime

    from greenroom.blueprint.parse import load_blueprint
    from greenroom.plan.cloud import CloudAsk, plan_cloud

    blueprint = load_blueprint(wanted.blueprint, compiler.tree)
    ask = CloudAsk(
        agent_sha256=compiler.agent_sha256(),
        # Owner and end of life are tags of the stack, which its template does not hold.
        owner="",
        now=datetime.now(UTC),
        taken={},
        region=region,
        target=target,
    )
    return plan_cloud(blueprint, wanted.create_request(), ask)


def _as_yaml(body: str) -> str:
    # What troposphere writes YAML with; short forms such as !Ref.
    from cfn_flip import to_yaml  # type: ignore[import-untyped]

    text: str = to_yaml(body)
    return text.rstrip("\n")
