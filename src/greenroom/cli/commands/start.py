"""``greenroom start``."""

from __future__ import annotations

from greenroom.cli.boot_again import boot_again
from greenroom.cli.declare import ENVIRONMENT, JSON, command
from greenroom.cli.provider import PROVIDER, refuse_on_aws


@command("start", ENVIRONMENT, PROVIDER, JSON)
def start(environment: str, provider: str | None, as_json: bool) -> None:
    """Boot a stopped environment from its own disks.

    Nothing is restored or deployed anew: it goes on with what it held. The whole is proved again.
    """
    refuse_on_aws("start", "on AWS aws ec2 start-instances starts what was stopped", provider)
    boot_again("start", environment, as_json=as_json)
