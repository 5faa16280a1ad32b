"""Templates and steps that the tests of this folder share."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.cloud.fake.account import Account

WAIT = {
    "h": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "w": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "h"}, "Timeout": "1800"},
    },
}


def template(resources: dict[str, Any], **sections: Any) -> str:
    """A template's JSON."""
    return json.dumps({"Resources": resources, **sections})


def group(description: str = "a group", **properties: Any) -> dict[str, Any]:
    """A security group."""
    given = {"GroupDescription": description, **properties}
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": given}


def begin(account: Account, body: str, name: str = "s", **given: Any) -> str:
    """Create ``name`` by a change set and execute it; its id."""
    cloudformation = account.client("cloudformation")
    disable = given.pop("DisableRollback", None)
    made = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=body,
        **given,
    )
    flags = {} if disable is None else {"DisableRollback": disable}
    cloudformation.execute_change_set(ChangeSetName=made["Id"], **flags)
    stack_id: str = made["StackId"]
    return stack_id


def handle_url(account: Account, logical_id: str = "h", name: str = "s") -> str:
    """The handle's URL, once there is one."""
    stack = account.stack(name)

    def there() -> bool:
        return logical_id in stack.resources and stack.resources[logical_id].ref is not None

    assert account.clock.wait(60, there)
    return stack.resources[logical_id].ref or ""


def signal(url: str, content_type: str = "", **document: Any) -> int:
    """PUT a signal as the agent does; the HTTP status. Raises HTTPError past 399."""
    request = urllib.request.Request(
        url,
        data=json.dumps({"Status": "SUCCESS", "UniqueId": "one", **document}).encode(),
        method="PUT",
        headers={"Content-Type": content_type},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)
