"""``greenroom update --provider aws``."""

from __future__ import annotations

import time

from greenroom.app.cloud.draft import CloudPorts
from greenroom.app.cloud.update import Updated, environment_asked, update
from greenroom.cli.cloud.asked import AwsAsked, order_of
from greenroom.cli.cloud.create import tell_booted
from greenroom.cli.cloud.stage import perform
from greenroom.cli.request import Wanted


def update_on_aws(
    environment: str | None, wanted: Wanted, asked: AwsAsked, *, as_json: bool
) -> None:
    """Change an environment on AWS to what the blueprint says now, and say what stands there."""
    started_s = time.monotonic()
    order = order_of(wanted, asked)

    def work(ports: CloudPorts) -> Updated:
        request = environment_asked(ports, order.blueprint, environment, order.request)
        return update(ports, order.wish(request))

    updated = perform(order.access, work, as_json=as_json)
    done = "updated and " if updated.changes else "unchanged and "
    tell_booted(updated.booted, time.monotonic() - started_s, as_json=as_json, done=done)
