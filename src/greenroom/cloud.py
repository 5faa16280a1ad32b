"""The composition root for AWS, as ``daemon`` is for this host. Importing it imports boto3."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from greenroom.agent_archive import build_agent
from greenroom.app.clock import SystemClock
from greenroom.app.cloud.draft import CloudPorts
from greenroom.app.cloud.telling import Telling
from greenroom.cloud_ports import Attention, Blob
from greenroom.model.cloud import agent_key
from greenroom.model.events import Event
from greenroom.providers.aws.driver import AwsDriver, compiled
from greenroom.providers.aws.inventory import AwsInventory
from greenroom.providers.aws.price_table import known_prices
from greenroom.providers.aws.session import Access, Account


def access_of(region: str | None, profile: str | None, blueprint_region: str | None) -> Access:
    """Who asks and where: the flag, the environment, then the blueprint. Credentials and the
    profile's own region are left to boto3."""
    return Access(
        region=region or os.environ.get("AWS_REGION") or blueprint_region, profile=profile
    )


def cloud_ports(access: Access, attention: Attention, sink: Callable[[Event], None]) -> CloudPorts:
    """Everything that a use case on AWS works through; ``sink`` gets its events."""
    clock = SystemClock()
    telling = Telling(sink, clock)

    def wait(seconds: float) -> None:
        # Throttling is waited out for minutes: whoever gives up is heard between two tries.
        attention.wait(seconds)
        attention.check()

    account = Account(access, wait=wait, tell=telling.notice)
    agent = build_agent()
    return CloudPorts(
        account=AwsDriver(account),
        compile=compiled,
        agent=Blob(
            key=agent_key(agent.sha256), content=agent.content, content_type="application/zip"
        ),
        agent_sha256=agent.sha256,
        attention=attention,
        telling=telling,
        clock=clock,
        prices=lambda: known_prices(os.environ),
        s3_endpoint=_endpoint("S3"),
        route53_endpoint=_endpoint("ROUTE_53"),
    )


def cloud_inventory(
    access: Access,
    *,
    wait: Callable[[float], None] = time.sleep,
    tell: Callable[[str], None] = lambda _: None,
) -> AwsInventory:
    """What stands in the account, for what only looks, reaches into machines or destroys."""
    account = Account(access, wait=wait, tell=tell)
    return AwsInventory(account, lambda: known_prices(os.environ), access.profile)


def _endpoint(service: str) -> str | None:
    """What boto3 calls instead of AWS, by its own variables: machines are to call it as well."""
    environment = os.environ
    return environment.get(f"AWS_ENDPOINT_URL_{service}") or environment.get("AWS_ENDPOINT_URL")
