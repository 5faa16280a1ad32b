"""IAM's roles, instance profiles and policies, made in moto through boto3.

Roles bear the stack's tags but not the ``aws:cloudformation:…`` ones: moto refuses them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tests.cloud.fake.kinds import Ask, Kind, Made, api_input, names, tag_list


def _named_iam(key: str) -> Any:
    """Only a name of one's own needs the stronger capability."""

    def capability(properties: Mapping[str, Any]) -> str:
        return "CAPABILITY_NAMED_IAM" if key in properties else "CAPABILITY_IAM"

    return capability


def _make_role(ask: Ask) -> Made:
    iam = ask.client("iam")
    properties = ask.properties
    name = properties.get("RoleName", ask.generated_name)
    asked = {
        "RoleName": name,
        "AssumeRolePolicyDocument": _document(properties["AssumeRolePolicyDocument"]),
        "Tags": tag_list(ask.all_tags(reserved=False)),
    }
    for key in ("Path", "Description", "MaxSessionDuration", "PermissionsBoundary"):
        if key in properties:
            asked[key] = properties[key]
    role = iam.create_role(**api_input(iam, "CreateRole", asked))["Role"]
    _put_policies(ask, name)
    return Made(physical_id=name, attributes={"Arn": role["Arn"], "RoleId": role["RoleId"]})


def _document(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _put_policies(ask: Ask, name: str) -> None:
    iam = ask.client("iam")
    for policy in ask.properties.get("Policies", []):
        iam.put_role_policy(
            RoleName=name,
            PolicyName=policy["PolicyName"],
            PolicyDocument=_document(policy["PolicyDocument"]),
        )
    for arn in ask.properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _drop_policies(ask: Ask, name: str) -> None:
    iam = ask.client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])


def _update_role(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    iam = ask.client("iam")
    _drop_policies(ask, physical_id)
    _put_policies(ask, physical_id)
    iam.update_assume_role_policy(
        RoleName=physical_id,
        PolicyDocument=_document(ask.properties["AssumeRolePolicyDocument"]),
    )
    iam.tag_role(RoleName=physical_id, Tags=tag_list(ask.all_tags(reserved=False)))
    return Made(physical_id=physical_id)


def _delete_role(ask: Ask, physical_id: str) -> None:
    _drop_policies(ask, physical_id)
    ask.client("iam").delete_role(RoleName=physical_id)


def _observe_role(ask: Ask, physical_id: str) -> Mapping[str, Any] | None:
    iam = ask.client("iam")
    try:
        iam.get_role(RoleName=physical_id)
    except ClientError:
        return None
    attached = iam.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]
    return {"ManagedPolicyArns": [policy["PolicyArn"] for policy in attached]}


def _make_profile(ask: Ask) -> Made:
    iam = ask.client("iam")
    name = ask.properties.get("InstanceProfileName", ask.generated_name)
    made = iam.create_instance_profile(
        InstanceProfileName=name, Path=ask.properties.get("Path", "/")
    )
    for role in ask.properties["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return Made(physical_id=name, attributes={"Arn": made["InstanceProfile"]["Arn"]})


def _update_profile(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    _empty_profile(ask, physical_id)
    for role in ask.properties["Roles"]:
        ask.client("iam").add_role_to_instance_profile(
            InstanceProfileName=physical_id, RoleName=role
        )
    return Made(physical_id=physical_id)


def _empty_profile(ask: Ask, name: str) -> None:
    iam = ask.client("iam")
    profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in profile["Roles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])


def _delete_profile(ask: Ask, physical_id: str) -> None:
    _empty_profile(ask, physical_id)
    ask.client("iam").delete_instance_profile(InstanceProfileName=physical_id)


def _make_policy(ask: Ask) -> Made:
    properties = ask.properties
    roles = properties.get("Roles") or [properties["RoleName"]]
    for role in roles:
        ask.client("iam").put_role_policy(
            RoleName=role,
            PolicyName=properties["PolicyName"],
            PolicyDocument=_document(properties["PolicyDocument"]),
        )
    return Made(physical_id=ask.generated_name)


def _update_policy(ask: Ask, physical_id: str, before: Mapping[str, Any]) -> Made:
    _make_policy(ask)
    return Made(physical_id=physical_id)


def _delete_policy(ask: Ask, physical_id: str) -> None:
    properties = ask.properties
    for role in properties.get("Roles") or [properties["RoleName"]]:
        ask.client("iam").delete_role_policy(RoleName=role, PolicyName=properties["PolicyName"])


KINDS = {
    "AWS::IAM::Role": Kind(
        create=_make_role,
        delete=_delete_role,
        update=_update_role,
        observe=_observe_role,
        attributes=names("Arn RoleId"),
        replaced_by=names("Path RoleName"),
        taggable=True,
        capability=_named_iam("RoleName"),
    ),
    "AWS::IAM::InstanceProfile": Kind(
        create=_make_profile,
        delete=_delete_profile,
        update=_update_profile,
        attributes=names("Arn"),
        replaced_by=names("InstanceProfileName Path"),
        capability=_named_iam("InstanceProfileName"),
    ),
    "AWS::IAM::Policy": Kind(
        create=_make_policy,
        delete=_delete_policy,
        update=_update_policy,
        # AWS asks for CAPABILITY_IAM only: the policy's name is always given.
        capability=lambda properties: "CAPABILITY_IAM",
    ),
    "AWS::IAM::RolePolicy": Kind(
        create=_make_policy,
        delete=_delete_policy,
        update=_update_policy,
        replaced_by=names("PolicyName RoleName"),
        capability=lambda properties: "CAPABILITY_IAM",
    ),
}
