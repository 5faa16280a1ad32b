"""``greenroom audit``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, Option, command
from greenroom.cli.instant import instant
from greenroom.cli.terminal import Paint, note, say, say_json
from greenroom.cli.text import clean
from greenroom.errors import UsageError

if TYPE_CHECKING:
    from greenroom.cli.client import Client
    from greenroom.cli.shapes import AuditReply

_NEWEST = 50
_DIGITS_MAX = 9
_PAGE = 500
_POLL_S = 1.0


@command(
    "audit",
    Option("--since", metavar="TIME", help="From then on: 2026-11-23T04:00Z, or 8h ago as 8h."),
    Option("--by", metavar="NAME", help="What this caller asked: root, or a token's name."),
    Option("--on", metavar="WHAT", help="An environment, a stack or a token."),
    Option("--limit", metavar="N", help="The newest N [default: 50; with --since all]."),
    Option("--follow", flag=True, help="Go on with what is asked from now on."),
    JSON,
)
def audit(
    since: str | None,
    by: str | None,
    on: str | None,
    limit: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show who asked for what, and how it ended."""
    begins = None if since is None else instant("--since", since).isoformat()
    wanted = {"by": by, "on": on, "since": begins}
    most = _limit(limit, None if since else _NEWEST)
    client = connect()
    # One more than are shown: whether there are older ones.
    newest = list(islice(client.audit(wanted), None if most is None else most + 1))
    found = newest[:most][::-1]
    if len(newest) > len(found) and limit is None:
        note(f"these are the newest {most}; --limit N or --since TIME shows older ones")
    if not found and not follow and not as_json:
        say(_nothing(**wanted))
    if as_json and not follow:
        say_json(found)
        return
    _show(found, as_json=as_json)
    if follow:
        _follow(client, wanted, found[-1]["seq"] if found else 0, as_json=as_json)


def _nothing(by: str | None, on: str | None, since: str | None) -> str:
    told = "nothing was asked"
    told += "" if by is None else f" by {by}"
    told += "" if on is None else f" about {on}"
    return clean(told if since is None else f"{told} since {since[:19]}{since[-6:]}")


def _follow(client: Client, wanted: Mapping[str, str | None], after: int, *, as_json: bool) -> None:
    while True:
        new = client.audit_since(after, _PAGE, wanted)
        _show(new, as_json=as_json)
        sys.stdout.flush()
        after = new[-1]["seq"] if new else after
        if len(new) < _PAGE:
            time.sleep(_POLL_S)


def _show(entries: Iterable[AuditReply], *, as_json: bool) -> None:
    for entry in entries:
        if as_json:
            say_json(entry)
        else:
            say(_line(entry))


def _line(entry: AuditReply) -> str:
    paint = Paint(sys.stdout)
    when = paint("dim", f"{entry['at'][:19]}Z")
    bad = entry["outcome"] in ("refused", "failed")
    outcome = paint("bad", entry["outcome"]) if bad else entry["outcome"]
    who = clean(entry["caller"] or "nobody")
    given = " ".join(f"{name}={value}" for name, value in entry["parameters"].items())
    why = f"{entry['code']}: {entry['message']}" if entry["code"] else given
    words = f"{who} ({entry['origin']})  {entry['action']} {entry['subject']}  "
    return f"{when}  {clean(words)}{outcome}  {clean(why)}".rstrip()


def _limit(text: str | None, usual: int | None) -> int | None:
    if text is None:
        return usual
    if not text.isdecimal() or len(text) > _DIGITS_MAX or int(text) == 0:
        raise UsageError(
            "E_USAGE",
            f"--limit {text[:20]!r} is no number of entries",
            hint="give one such as 200; --since, --by and --on choose among them",
        )
    return int(text)
