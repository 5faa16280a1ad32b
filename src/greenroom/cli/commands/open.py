"""``greenroom open``."""

from __future__ import annotations

import click

from greenroom.cli.connect import chosen_environment, connect
from greenroom.cli.desktop import open_on_desktop
from greenroom.cli.options import aws_options, environment_argument, json_option
from greenroom.cli.provider import on_aws, refuse_aws_options
from greenroom.cli.terminal import say, say_json
from greenroom.cli.text import clean
from greenroom.errors import OperationError


@click.command("open")
@environment_argument(required=False)
@aws_options
@json_option
def open_environment(
    environment: str | None,
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Print an environment's URL and open it.

    The browser is opened only where there is a desktop (DISPLAY or WAYLAND_DISPLAY).
    """
    if on_aws(provider):
        from greenroom.cli.cloud.look import urls_on_aws

        urls = urls_on_aws(region, profile, environment)
    else:
        refuse_aws_options({"region": region, "profile": profile})
        urls = _local_urls(environment)
    if as_json:
        say_json({"url": urls[0], "urls": urls})
        return
    say(clean(urls[0]))
    open_on_desktop(urls[0])


def _local_urls(environment: str | None) -> list[str]:
    client = connect()
    detail = client.environment(chosen_environment(client, environment))
    if not detail["urls"]:
        raise OperationError(
            "E_NO_URL",
            f"{detail['summary']['name']} has no endpoint: no machine type in it declares one",
            hint="give a machine type an endpoint in the blueprint",
        )
    return detail["urls"]
