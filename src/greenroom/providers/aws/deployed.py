"""The template that a stack was last made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from greenroom.providers.aws.session import Account


def deployed_template(account: Account, stack_id: str) -> Mapping[str, Any]:
    """The template as it was given; boto3 parses one in JSON by itself.

    A template in YAML is not ours: it has no resources here.
    """
    reply = account.call("cloudformation", "GetTemplate", about=stack_id, StackName=stack_id)
    body = reply.get("TemplateBody", {})
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except json.JSONDecodeError:
            return {}
    return body if isinstance(body, Mapping) else {}
