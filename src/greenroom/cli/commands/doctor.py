"""``greenroom doctor``."""

from __future__ import annotations

import sys

import click

from greenroom.cli.options import json_option
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, pad, width
from greenroom.errors import UsageError


@click.command("doctor")
@click.option(
    "--orphans", is_flag=True, help="Instead: list what the host holds and no environment owns."
)
@click.option(
    "--remove", is_flag=True, help="With --orphans: remove what bears an environment's name."
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, orphans: bool, remove: bool, as_json: bool) -> None:
    """Say what this host lacks, and what mends it.

    Exits with 1 if something is lacking, or if orphans are left.
    """
    if remove and not orphans:
        raise UsageError(
            "E_USAGE", "--remove goes with --orphans", hint="greenroom doctor --orphans --remove"
        )
    if orphans:
        from greenroom.cli.orphans import tell_orphans

        if not tell_orphans(remove=remove, as_json=as_json):
            ctx.exit(1)
        return
    from greenroom.cli.settings import daemon_settings
    from greenroom.providers.local.doctor import diagnose, page_port
    from greenroom.region import Region

    region = Region.from_environment()
    findings = (*diagnose(region), page_port(region), *daemon_settings(region))
    if as_json:
        say_json(
            [
                {"name": each.name, "ok": each.ok, "message": each.message, "mend": each.mend}
                for each in findings
            ]
        )
    else:
        paint = Paint(sys.stdout)
        columns = max((width(each.name) for each in findings), default=0)
        for each in findings:
            mark = paint("good", "✓") if each.ok else paint("bad", "✗")
            say(f"{mark} {pad(clean(each.name), columns)}  {clean(each.message)}")
            if not each.ok and each.mend:
                say(f"  {' ' * columns}  → {clean(each.mend)}")
    if not all(each.ok for each in findings):
        ctx.exit(1)
