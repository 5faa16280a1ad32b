"""Parts as the JSON that CloudFormation takes, within what it takes."""

from __future__ import annotations

import json

from greenroom.errors import InputError
from greenroom.providers.aws.template.compiled import Parts

VERSION = "2010-09-09"

RESOURCES_MAX = 500
OUTPUTS_MAX = 200
PARAMETERS_MAX = 200
BODY_BYTES_MAX = 1_000_000
"""CloudFormation guide, "Understand CloudFormation quotas"; 1 MB from a bucket, 51,200 bytes
inline."""

_METADATA = {"cfn-lint": {"config": {"ignore_checks": ["E6101"]}}}
"""The schema that cfn-lint reads calls a wait condition's Data a mapping, which no output may be;
CloudFormation gives it as a string of JSON (user guide, AWS::CloudFormation::WaitCondition)."""


_DYNAMIC_REFERENCE = "{{resolve:"
"""CloudFormation puts a parameter's or a secret's value in its place, wherever it stands in a
template, with the rights of the stack's service role (user guide, "Get values stored in other
services using dynamic references"). Ours writes none, so one has come from a branch, a tag or a
command."""


def rendered(parts: Parts) -> str:
    """The template as compact JSON; raises InputError E_AWS_TEMPLATE_SIZE past a limit,
    E_AWS_REFERENCE for text that CloudFormation would not leave as it is."""
    _refuse_too_much(parts)
    document = {
        "AWSTemplateFormatVersion": VERSION,
        "Description": parts.description,
        **({"Metadata": _METADATA} if parts.outputs else {}),
        "Parameters": dict(parts.parameters),
        "Resources": {resource.id: resource.body for resource in parts.resources},
        **({"Outputs": dict(parts.outputs)} if parts.outputs else {}),
    }
    body = as_json(document)
    if _DYNAMIC_REFERENCE in body:
        raise _dynamic(parts)
    if len(body) > BODY_BYTES_MAX:
        raise _too_much(parts, f"{len(body)} bytes", BODY_BYTES_MAX)
    return body


def as_json(document: object) -> str:
    """Compact JSON in ASCII; the same document gives the same bytes."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def _refuse_too_much(parts: Parts) -> None:
    for count, what, limit in (
        (len(parts.resources), "resources", RESOURCES_MAX),
        (len(parts.outputs), "outputs", OUTPUTS_MAX),
        (len(parts.parameters), "parameters", PARAMETERS_MAX),
    ):
        if count > limit:
            raise _too_much(parts, f"{count} {what}", limit)


def _too_much(parts: Parts, found: str, limit: int) -> InputError:
    return InputError(
        "E_AWS_TEMPLATE_SIZE",
        f"the template of {parts.description} has {found}; CloudFormation allows {limit}",
        hint="ask for fewer machines, or declare fewer rules",
    )


def _dynamic(parts: Parts) -> InputError:
    bodies = {resource.id: resource.body for resource in parts.resources} | dict(parts.outputs)
    where = next((id for id, body in bodies.items() if _DYNAMIC_REFERENCE in as_json(body)), "it")
    return InputError(
        "E_AWS_REFERENCE",
        f"the template of {parts.description} has {_DYNAMIC_REFERENCE!r} in {where}, where "
        "CloudFormation would put the value of a parameter or of a secret",
        hint="take it out of the branch's name, the tags, checks and commands of the blueprint",
    )
