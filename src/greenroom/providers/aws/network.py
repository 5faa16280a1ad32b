"""VPC, subnets and AMI parameters: what an environment needs of the account's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from greenroom.errors import InputError
from greenroom.model.cloud_account import Network
from greenroom.providers.aws.change_sets import no_parameter
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.session import Account, Reply
from greenroom.providers.aws.tags import tags_of

_VPC_ID = re.compile(r"vpc-[0-9a-f]{8,17}")
_SUBNET_ID = re.compile(r"subnet-[0-9a-f]{8,17}")
_PARAMETERS_MAX = 10
"""Names in one GetParameters (SSM API)."""


def resolve_network(account: Account, vpc: str | None, subnets: Sequence[str]) -> Network:
    """VPC and subnets as ids, by one call each; see the port."""
    vpc_id = _resolve_vpc(account, vpc)
    pages = account.pages(
        "ec2",
        "DescribeSubnets",
        about=f"subnets of {vpc_id}",
        Filters=[{"Name": "vpc-id", "Values": [vpc_id]}],
    )
    there = [subnet for page in pages for subnet in page["Subnets"]]
    if not there:
        raise InputError(
            "E_AWS_SUBNET",
            f"the VPC {_called(vpc_id, vpc)} in {account.region} has no subnets",
            hint="make one, or name another VPC in the blueprint: aws.vpc",
        )
    if not subnets:
        return Network(vpc=vpc_id, subnets=tuple(sorted(s["SubnetId"] for s in there)))
    chosen = (_subnet(there, wanted, _called(vpc_id, vpc)) for wanted in subnets)
    return Network(vpc=vpc_id, subnets=tuple(dict.fromkeys(chosen)))


def require_parameters(account: Account, paths: Sequence[str]) -> None:
    """Refuse SSM parameters that are not there; see the port."""
    for start in range(0, len(paths), _PARAMETERS_MAX):
        names = list(paths[start : start + _PARAMETERS_MAX])
        reply = account.call("ssm", "GetParameters", about=", ".join(names), Names=names)
        for missing in reply.get("InvalidParameters", ()):
            raise no_parameter(missing, account.region)


def _resolve_vpc(account: Account, vpc: str | None) -> str:
    if vpc is None:
        chosen = [{"Name": "is-default", "Values": ["true"]}]
    elif _VPC_ID.fullmatch(vpc):
        chosen = [{"Name": "vpc-id", "Values": [vpc]}]
    else:
        chosen = [{"Name": "tag:Name", "Values": [vpc]}]
    reply = _vpcs(account, vpc, chosen)
    found = [each["VpcId"] for each in reply["Vpcs"]]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise InputError(
            "E_AWS_VPC",
            f"{len(found)} VPCs in {account.region} are named {vpc!r}: {', '.join(sorted(found))}",
            hint="name one by its id in the blueprint: aws.vpc",
        )
    if vpc is None:
        raise InputError(
            "E_AWS_VPC",
            f"the account has no default VPC in {account.region}",
            hint="name one in the blueprint: aws.vpc",
        )
    raise InputError(
        "E_AWS_VPC",
        f"there is no VPC {vpc!r} in {account.region}",
        hint="aws ec2 describe-vpcs lists what there is; is the region right?",
    )


def _vpcs(account: Account, vpc: str | None, chosen: list[dict[str, Any]]) -> Reply:
    try:
        return account.call("ec2", "DescribeVpcs", about=vpc or "default VPC", Filters=chosen)
    except AnswerError as error:
        if error.aws_code == "InvalidVpcID.NotFound":
            return {"Vpcs": []}
        raise


def _subnet(there: Sequence[Mapping[str, Any]], wanted: str, vpc: str) -> str:
    if _SUBNET_ID.fullmatch(wanted):
        found = [s["SubnetId"] for s in there if s["SubnetId"] == wanted]
    else:
        found = [s["SubnetId"] for s in there if tags_of(s).get("Name") == wanted]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise InputError(
            "E_AWS_SUBNET",
            f"{len(found)} subnets of the VPC {vpc} are named {wanted!r}: "
            f"{', '.join(sorted(found))}",
            hint="name them by their ids in the blueprint: aws.subnets",
        )
    known = ", ".join(sorted(tags_of(s).get("Name") or s["SubnetId"] for s in there))
    raise InputError(
        "E_AWS_SUBNET",
        f"the VPC {vpc} has no subnet {wanted!r}",
        hint=f"its subnets: {known}",
    )


def _called(vpc_id: str, asked: str | None) -> str:
    return vpc_id if asked in (None, vpc_id) else f"{asked!r} ({vpc_id})"
