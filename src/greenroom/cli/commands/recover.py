"""``greenroom recover``."""

from __future__ import annotations

from greenroom.cli.boot_again import boot_again
from greenroom.cli.declare import ENVIRONMENT, JSON, command
from greenroom.cli.provider import PROVIDER, refuse_on_aws


@command("recover", ENVIRONMENT, PROVIDER, JSON)
def recover(environment: str, provider: str | None, as_json: bool) -> None:
    """Boot what does not run any more, from its own disks.

    The daemon does it by itself when it starts, and when a machine ends. This is for another try
    after one that failed. Machines that run are left alone; the whole is proved again.
    """
    refuse_on_aws(
        "recover",
        "on AWS greenroom show --provider aws ENV tells what does not run and greenroom update "
        "boots what the blueprint changed; what is broken is made anew: greenroom destroy "
        "--provider aws ENV, then create",
        provider,
    )
    boot_again("recover", environment, as_json=as_json)
