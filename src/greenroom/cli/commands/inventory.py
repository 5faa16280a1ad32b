"""``greenroom inventory``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, Argument, Option, command
from greenroom.cli.instant import instant
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import age, clean, table
from greenroom.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from greenroom.cli.shapes import ChangeReply, RecordReply

_DIFF = "diff"
_SINCE_DEFAULT = "24h"
_FORMATS = ("ansible", "dotenv", "enc", "http_sd", "ssh")


@command(
    "inventory",
    Argument("what", metavar="[diff | ENV | HOST]", required=False),
    Option("--role", help="Only machines of this role."),
    Option("--branch", help="Only machines of this branch (or slug)."),
    Option("--stack", help="Only machines of this stack."),
    Option("--at", metavar="TIME", help="As it was then: 90m ago, or 2026-11-23T10:00."),
    Option("--since", metavar="TIME", help=f"diff: since then [default: {_SINCE_DEFAULT}]."),
    Option("--format", name="form", metavar="|".join(_FORMATS), help="Write it for another."),
    Option("--port", help="http_sd: the port to scrape."),
    Option("--list", name="listed", flag=True, help="ansible: all hosts, which is the default."),
    Option("--host", help="ansible: the variables of one host."),
    PROVIDER,
    JSON,
)
def inventory(
    what: str | None,
    role: str | None,
    branch: str | None,
    stack: str | None,
    at: str | None,
    since: str | None,
    form: str | None,
    port: str | None,
    listed: bool,
    host: str | None,
    provider: str | None,
    as_json: bool,
) -> None:
    """List machines: who is there, since when, how.

    Every machine of every environment, with its role, branch, addresses, health, image and
    artifact. ``greenroom inventory diff`` tells what changed. With --format it is written for
    Ansible, Prometheus (http_sd) and ssh; for an environment, as variables (dotenv ENV); for a
    machine, as Puppet's external node classifier (enc HOST).
    """
    refuse_on_aws(
        "inventory",
        "on AWS greenroom list --provider aws and greenroom show --provider aws ENV tell it",
        provider,
    )
    wanted = {"role": role, "branch": branch, "stack": stack}
    if form is not None:
        _refuse_with("--format", at=at, since=since)
        _say_formatted(form, what, wanted, port, host)
    elif what == _DIFF:
        _refuse_with(_DIFF, role=role, branch=branch, at=at)
        _say_changes(stack, since or _SINCE_DEFAULT, as_json=as_json)
    else:
        _refuse_without_format(what, since=since, port=port, host=host, list=listed or None)
        _say_machines(wanted, at, as_json=as_json)


def _say_machines(wanted: dict[str, str | None], at: str | None, *, as_json: bool) -> None:
    then = None if at is None else instant("--at", at)
    when = None if then is None else then.isoformat()
    client = connect()
    records = client.machines(**wanted, at=when)
    if as_json:
        say_json(records)
    elif records:
        _say_table(_HEAD, [_row(record) for record in records])
    else:
        # Only then are all of them asked for: to say which filter it was.
        chosen = any(value is not None for value in wanted.values())
        others = client.machines(at=when) if chosen else []
        say(_no_machine(others, wanted, then))


def _no_machine(
    others: Sequence[RecordReply], wanted: dict[str, str | None], then: datetime | None
) -> str:
    machine = "such machine" if others else "machine"
    if then is None:
        told = f"there is no {machine}"
    else:
        # Not «there was none»: what was there before the first look was never written down.
        told = f"the inventory knew of no {machine} at {then.isoformat(timespec='seconds')}"
    if not others:
        return told
    from greenroom.cli.unmatched import why_unmatched

    return f"{told}: {why_unmatched(others, wanted)}"


def _say_formatted(
    form: str,
    what: str | None,
    wanted: dict[str, str | None],
    port: str | None,
    host: str | None,
) -> None:
    """What the daemon writes for another program, as it is."""
    from greenroom.cli.program import program_line

    _refuse_unknown_format(form)
    _refuse_of_another(form, what, wanted, port, host)
    _refuse_port_and_host(form, port, host)
    client = connect()
    match form:
        case "dotenv":
            text = client.inventory_text("dotenv", name=what)
        case "http_sd":
            text = client.inventory_text("http_sd", **wanted, port=port)
        case "enc":
            text = client.inventory_text("machine/as/enc", host=what)
        case "ansible" if host is not None:
            text = client.inventory_text("machine/as/ansible", host=host, program=program_line())
        case _:
            text = client.inventory_text(f"as/{form}", **wanted, program=program_line())
    sys.stdout.write(text)


def _refuse_unknown_format(form: str) -> None:
    if form in _FORMATS:
        return
    hint = f"formats: {', '.join(_FORMATS)}"
    if form.lower() in ("json", "ndjson"):
        hint = "--json prints JSON, without --format"
    raise UsageError("E_USAGE", f"there is no format {form!r}", hint=hint)


def _refuse_of_another(
    form: str,
    what: str | None,
    wanted: dict[str, str | None],
    port: str | None,
    host: str | None,
) -> None:
    """A format is either for the one thing that is named, or for all machines."""
    if form not in _EXAMPLE:
        if what is not None:
            raise UsageError(
                "E_USAGE",
                f"--format {form} is for all machines, not for {what!r}",
                hint="--stack, --role and --branch choose among them",
            )
        return
    if what is None:
        meant = "an environment" if form == "dotenv" else "a machine"
        raise UsageError(
            "E_USAGE",
            f"--format {form} is for {meant}",
            hint=f"for example greenroom inventory --format {form} {_EXAMPLE[form]}",
        )
    _refuse_with(f"--format {form}", **wanted, port=port, host=host)


def _refuse_port_and_host(form: str, port: str | None, host: str | None) -> None:
    hint = "for example greenroom inventory --format http_sd --port 9100"
    if form == "http_sd" and port is None:
        raise UsageError(
            "E_USAGE", "--format http_sd needs --port N, the port to scrape", hint=hint
        )
    if form != "http_sd" and port is not None:
        raise UsageError("E_USAGE", "--port goes with --format http_sd", hint=hint)
    if host is not None and form != "ansible":
        raise UsageError(
            "E_USAGE",
            "--host goes with --format ansible",
            hint="greenroom show ENV tells of one environment's machines",
        )


_EXAMPLE = {"dotenv": "feature-x", "enc": "backend1.feature-x"}


_HEAD = ("MACHINE", "ROLE", "BRANCH", "ADDRESS", "HEALTH", "SINCE", "IMAGE", "PUBLIC DNS")


def _row(record: RecordReply) -> tuple[str, ...]:
    health = record["health"]
    return (
        f"{record['environment']}/{record['name']}",
        record["role"],
        record["branch"] or "(shared)",
        record["address"],
        f"{health}: {record['failing']}" if record["failing"] else health,
        age(record["since"]),
        record["image"],
        record["public_dns"] or "-",
    )


def _refuse_with(other: str, **given: str | None) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                "E_USAGE", f"--{name} does not go with {other}", hint=f"leave --{name} out"
            )


def _refuse_without_format(what: str | None, **given: object) -> None:
    if what is not None:
        raise UsageError("E_USAGE", f"{what!r} is not diff", hint="greenroom inventory --help")
    for name, value in given.items():
        if value is not None:
            goes = "diff" if name == "since" else "--format"
            raise UsageError(
                "E_USAGE", f"--{name} goes with {goes}", hint="greenroom inventory --help"
            )


def _say_changes(stack: str | None, since: str, *, as_json: bool) -> None:
    begins = instant("--since", since).isoformat()
    changes = connect().machine_changes(stack=stack, since=begins)
    if as_json:
        say_json(changes)
    elif not changes:
        say(f"nothing changed since {begins}")
    else:
        _say_table(_CHANGE_HEAD, [_change_row(change) for change in changes])


_CHANGE_HEAD = ("AT", "MACHINE", "WHAT", "FROM → TO")
_UNTOLD = ("since", "health_since")
"""They follow from the other fields."""


def _change_row(change: ChangeReply) -> tuple[str, ...]:
    fields = [each for each in change["fields"] if each["field"] not in _UNTOLD]
    told = ", ".join(f"{e['field']}: {_told(e['before'])} → {_told(e['after'])}" for e in fields)
    return (
        change["at"][:19],
        f"{change['environment']}/{change['machine']}",
        change["kind"],
        told or "-",
    )


def _told(value: object) -> str:
    return clean(str(value)) if value not in (None, "") else "none"


def _say_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    first, *lines = table(head, rows)
    say(Paint(sys.stdout)("dim", first))
    for line in lines:
        say(line)
