"""``greenroom doctor --orphans``: what the host holds and no environment owns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from greenroom.cli.connect import connect
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count, table

if TYPE_CHECKING:
    from greenroom.cli.client import Client
    from greenroom.cli.shapes import OrphanReply

_HEAD = ("OF", "KIND", "NAME")
_NOBODY = "(nobody)"


def tell_orphans(*, remove: bool, as_json: bool) -> bool:
    """List them, or remove what bears an environment's name and list the rest; whether none is
    left."""
    client = connect()
    orphans = client.orphans()
    if remove:
        _remove(client, orphans, quiet=as_json)
        orphans = client.orphans()
    if as_json:
        say_json(orphans)
    elif not orphans:
        say("the host holds nothing that no environment owns")
    else:
        _print(orphans)
    return not orphans


def _remove(client: Client, orphans: list[OrphanReply], *, quiet: bool) -> None:
    for orphan in orphans:
        if orphan["environment"] is not None:
            receipt = client.remove_orphan(orphan["environment"])
            if not quiet:
                name = clean(receipt["environment"])
                say(f"{name}: {count(len(receipt['removed']), 'thing')} removed")


def _print(orphans: list[OrphanReply]) -> None:
    rows = [
        (orphan["environment"] or _NOBODY, item["kind"], item["name"])
        for orphan in orphans
        for item in orphan["resources"]
    ]
    head, *lines = table(_HEAD, rows)
    say(Paint(sys.stdout)("dim", head))
    for line in lines:
        say(line)
    if any(orphan["environment"] is not None for orphan in orphans):
        say("→ greenroom doctor --orphans --remove removes what bears an environment's name")
    if any(orphan["environment"] is None for orphan in orphans):
        say(f"what is {_NOBODY}'s names no environment: greenroom does not touch it")
