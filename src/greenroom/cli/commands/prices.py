"""``greenroom prices``."""

from __future__ import annotations

import os
import sys

import click

from greenroom.cli.options import json_option
from greenroom.cli.terminal import Paint, say, say_json


@click.group("prices", invoke_without_command=True)
@click.option("--region", metavar="REGION", help="Show every price of this region.")
@json_option
@click.pass_context
def prices(context: click.Context, region: str | None, as_json: bool) -> None:
    """Show the known prices of AWS, and fetch them anew.

    Without --region, one line for each region: the day of its prices, how many there are, and
    where they are from.
    """
    if context.invoked_subcommand is not None:
        return
    from greenroom.cli.cloud.prices import prices_json, region_lines, table_lines
    from greenroom.providers.aws.price_table import known_prices

    table = known_prices(os.environ)
    if as_json:
        say_json(prices_json(table, region))
    else:
        _say(table_lines(table) if region is None else region_lines(table, region))


@prices.command("refresh")
@click.option(
    "--region",
    "regions",
    metavar="REGION",
    multiple=True,
    help="A region to fetch; may be given again [default: all that have prices].",
)
@click.option("--profile", metavar="NAME", help="AWS profile [default: AWS_PROFILE].")
@json_option
def refresh_prices(regions: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """Fetch prices from AWS, with your credentials, into a table of your own.

    An answer that is bad or not whole changes nothing.
    """
    from greenroom.cli.cloud.prices import prices_json, refresh, table_lines
    from greenroom.providers.aws.price_fetch import API_REGION
    from greenroom.providers.aws.session import Access, Account

    def tell(line: str) -> None:
        if not as_json:
            say(line)

    account = Account(Access(region=API_REGION, profile=profile), tell=tell)
    table = refresh(account, regions, os.environ, tell)
    if as_json:
        say_json(prices_json(table, None))
    else:
        _say(table_lines(table))


def _say(lines: list[str]) -> None:
    head, *rest = lines
    say(Paint(sys.stdout)("dim", head))
    for line in rest:
        say(line)
