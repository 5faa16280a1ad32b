"""From a request to what a stack shall be: template, parameters, tags, capabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from tests.cloud.fake.engine import Engine, read_parameter
from tests.cloud.fake.query import ApiError, invalid
from tests.cloud.fake.records import ACCOUNT_ID, Desired, Stack
from tests.cloud.fake.template import Template, parse_template

BODY_BYTES_MAX = 51_200
URL_BYTES_MAX = 1_000_000
TAGS_MAX = 50
_SSM_VALUE = "AWS::SSM::Parameter::Value<"


def read_desired(
    engine: Engine, region: str, values: Mapping[str, Any], previous: Desired | None
) -> Desired:
    """What CreateChangeSet, CreateStack or UpdateStack asks for; raises ApiError."""
    body, template = read_template(engine, region, values, previous)
    parameters = _parameters(template, values.get("Parameters", []), previous)
    tags = {tag["Key"]: tag["Value"] for tag in values.get("Tags", [])}
    if len(tags) > TAGS_MAX:
        raise invalid(
            f"1 validation error detected: Value '{len(tags)} tags' at 'tags' failed to satisfy "
            f"constraint: Member must have length less than or equal to {TAGS_MAX}"
        )
    reserved = sorted(key for key in tags if key.lower().startswith("aws:"))
    if reserved:
        raise invalid(
            f"Invalid tag key {reserved[0]}: aws: prefixed tag key names are not allowed "
            "for external use."
        )
    role_arn = values.get("RoleARN") or (previous.role_arn if previous else None)
    _refuse_unusable_role(engine, role_arn)
    capabilities = tuple(values.get("Capabilities", []))
    _refuse_missing_capability(engine, template, capabilities)
    return Desired(
        template=template,
        body=body,
        parameters=parameters,
        values={
            name: _value(engine, region, template.parameters[name], text)
            for name, text in parameters.items()
        },
        tags=tags if "Tags" in values or previous is None else previous.tags,
        capabilities=capabilities,
        role_arn=role_arn,
    )


def read_template(
    engine: Engine, region: str, values: Mapping[str, Any], previous: Desired | None
) -> tuple[str, Template]:
    """The template's text and what it says; raises ApiError."""
    body = _body(engine, region, values, previous)
    return body, parse_template(body, engine.attributes_of)


def nested_desired(
    engine: Engine, parent: Stack, properties: Mapping[str, Any], previous: Desired | None
) -> Desired:
    """What an AWS::CloudFormation::Stack resource asks for: its parent lends tags and role."""
    assert parent.desired is not None
    own = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    given = properties.get("Parameters", {})
    return read_desired(
        engine,
        parent.region,
        {
            "TemplateURL": properties["TemplateURL"],
            "Parameters": [
                {
                    "ParameterKey": name,
                    "ParameterValue": ",".join(value) if isinstance(value, list) else str(value),
                }
                for name, value in given.items()
            ],
            "Tags": [
                {"Key": key, "Value": value}
                for key, value in {**parent.desired.tags, **own}.items()
            ],
            "RoleARN": parent.desired.role_arn,
            "Capabilities": list(parent.desired.capabilities),
        },
        previous,
    )


def _body(engine: Engine, region: str, values: Mapping[str, Any], previous: Desired | None) -> str:
    body: str | None = values.get("TemplateBody")
    url: str | None = values.get("TemplateURL")
    if body is not None and url is not None:
        raise invalid("You cannot specify both TemplateBody and TemplateURL")
    if values.get("UsePreviousTemplate"):
        if previous is None:
            raise invalid("Previous template cannot be used for a new stack")
        return previous.body
    if body is not None:
        if len(body.encode()) > BODY_BYTES_MAX:
            raise invalid(
                f"1 validation error detected: Value '{body[:40]}…' at 'templateBody' failed to "
                f"satisfy constraint: Member must have length less than or equal to "
                f"{BODY_BYTES_MAX}"
            )
        return body
    if url is not None:
        return _fetch(engine, region, url)
    raise invalid("Either Template URL or Template Body must be specified.")


def _fetch(engine: Engine, region: str, url: str) -> str:
    """The template at an S3 URL, path style or with the bucket in the host's name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    path = parts.path.lstrip("/")
    if ".s3." in host:
        bucket, key = host.partition(".s3.")[0], path
    else:
        bucket, _, key = path.partition("/")
    if not bucket or not key or parts.scheme not in ("http", "https"):
        raise invalid("TemplateURL must be a supported URL.")
    try:
        found = engine.client("s3", region).get_object(Bucket=bucket, Key=key)
    except ClientError as exc:
        error = exc.response["Error"]
        raise invalid(f"S3 error: {error['Message']}") from exc
    body: bytes = found["Body"].read()
    if len(body) > URL_BYTES_MAX:
        raise invalid(f"Template may not exceed {URL_BYTES_MAX} bytes in size.")
    return body.decode()


def _parameters(
    template: Template, given: list[Mapping[str, Any]], previous: Desired | None
) -> dict[str, str]:
    asked: dict[str, str] = {}
    for one in given:
        name = one["ParameterKey"]
        if one.get("UsePreviousValue"):
            if previous is None or name not in previous.parameters:
                raise invalid(f"Invalid input for parameter key {name}. No previous value")
            asked[name] = previous.parameters[name]
        else:
            asked[name] = one["ParameterValue"]
    strangers = sorted(set(asked) - set(template.parameters))
    if strangers:
        raise invalid(f"Parameters: [{', '.join(strangers)}] do not exist in the template")
    missing = sorted(
        name
        for name, spec in template.parameters.items()
        if name not in asked and "Default" not in spec
    )
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, spec in template.parameters.items():
        _refuse_disallowed(name, spec, asked.get(name))
    return {name: asked.get(name, _default(spec)) for name, spec in template.parameters.items()}


def _default(spec: Mapping[str, Any]) -> str:
    default = spec.get("Default", "")
    if isinstance(default, bool):
        return "true" if default else "false"
    return str(default)


def _refuse_disallowed(name: str, spec: Mapping[str, Any], value: str | None) -> None:
    allowed = [str(one) for one in spec.get("AllowedValues", [])]
    if value is not None and allowed and value not in allowed:
        raise invalid(f"Parameter '{name}' must be one of AllowedValues: [{', '.join(allowed)}]")


def _value(engine: Engine, region: str, spec: Mapping[str, Any], text: str) -> Any:
    """A parameter's value as Ref gives it; lists are split, SSM's are fetched."""
    kind = spec["Type"]
    if kind.startswith(_SSM_VALUE):
        text = read_parameter(engine, region, text)
        kind = kind.removeprefix(_SSM_VALUE).removesuffix(">")
    values = [item.strip() for item in text.split(",")] if text else []
    match kind:
        case "AWS::EC2::VPC::Id":
            _refuse_missing(engine, region, "describe_vpcs", VpcIds=[text])
        case "AWS::EC2::Subnet::Id":
            _refuse_missing(engine, region, "describe_subnets", SubnetIds=[text])
        case "List<AWS::EC2::Subnet::Id>":
            _refuse_missing(engine, region, "describe_subnets", SubnetIds=values)
    return values if kind == "CommaDelimitedList" or kind.startswith("List<") else text


def _refuse_missing(engine: Engine, region: str, operation: str, **asked: list[str]) -> None:
    """Parameters of an AWS type must name what exists."""
    try:
        getattr(engine.client("ec2", region), operation)(**asked)
    except ClientError as exc:
        raise invalid(exc.response["Error"]["Message"]) from exc


def _refuse_missing_capability(
    engine: Engine, template: Template, capabilities: tuple[str, ...]
) -> None:
    needed = {
        engine.kinds[block.type].capability(block.properties)
        for block in template.resources.values()
    } - {None}
    if "CAPABILITY_NAMED_IAM" in needed and "CAPABILITY_NAMED_IAM" not in capabilities:
        missing = "CAPABILITY_NAMED_IAM"
    elif needed and not {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} & set(capabilities):
        missing = "CAPABILITY_IAM"
    else:
        return
    raise ApiError("InsufficientCapabilitiesException", f"Requires capabilities : [{missing}]")


def _refuse_unusable_role(engine: Engine, role_arn: str | None) -> None:
    if role_arn is None:
        return
    try:
        found = engine.client("iam", "us-east-1").get_role(RoleName=role_arn.rpartition("/")[2])
    except ClientError:
        found = None
    trust = json.dumps(found["Role"]["AssumeRolePolicyDocument"]) if found else ""
    if f":{ACCOUNT_ID}:role/" not in role_arn or "cloudformation.amazonaws.com" not in trust:
        raise invalid(f"Role {role_arn} is invalid or cannot be assumed")
