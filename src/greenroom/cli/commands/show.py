"""``greenroom show``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from greenroom.cli.connect import chosen_environment, connect
from greenroom.cli.declare import ANY_ENVIRONMENT, JSON, command
from greenroom.cli.provider import AWS, on_aws, refuse_aws_options
from greenroom.cli.terminal import Paint, say, say_json, style_of
from greenroom.cli.text import (
    age,
    at_minute,
    clean,
    columns_of,
    count,
    duration,
    has_passed,
    pad,
    table,
    until,
)
from greenroom.cli.verdict import PROVED, verdict_of

if TYPE_CHECKING:
    from greenroom.cli.shapes import (
        DetailReply,
        IncidentReply,
        PhaseTimeReply,
        ProofReply,
        RestoreReply,
    )


@command("show", ANY_ENVIRONMENT, *AWS, JSON)
def show(
    environment: str | None,
    provider: str | None,
    region: str | None,
    profile: str | None,
    as_json: bool,
) -> None:
    """Show an environment: machines, phases, restores, proof.

    ENV is a slug (feature-x), a branch (feature_x) or stack/slug; it can be left out where there
    is only one environment.
    """
    if on_aws(provider):
        from greenroom.cli.cloud.look import show_on_aws

        show_on_aws(region, profile, environment, as_json=as_json)
        return
    refuse_aws_options({"region": region, "profile": profile})
    client = connect()
    detail = client.environment(chosen_environment(client, environment))
    if as_json:
        say_json(detail)
        return
    for line in detail_lines(detail, Paint(sys.stdout)):
        say(line)


def detail_lines(detail: DetailReply, paint: Paint) -> Iterator[str]:
    """The whole page."""
    yield from _head_lines(detail, paint)
    yield from section(paint, _MACHINES, _machine_rows(detail))
    yield from section(paint, _PHASES, [_phase_row(phase) for phase in detail["phases"]])
    yield from section(paint, RESTORES, [restore_row(each) for each in detail["restores"]])
    yield from section(paint, TABLES, table_rows(detail["restores"]))
    yield from section(paint, _INCIDENTS, [_incident_row(each) for each in detail["incidents"]])
    yield from proof_lines(detail["proof"], paint, in_doubt=_in_doubt(detail))


_MACHINES = ("MACHINE", "ROLE", "ADDRESS", "INSTANCE", "IMAGE", "GROUPS", "CODE")
_PHASES = ("PHASE", "MACHINE", "TIME", "")
RESTORES = ("RESTORE", "SOURCE", "MODE", "AGE OF DATA", "COLD", "VERIFIED", "CLONED", "CONTENT")
_INCIDENTS = ("INCIDENT", "OF", "AWAY", "WHAT HAPPENED")
TABLES = ("TABLE", "MACHINE", "ROWS", "CHECKSUM")


def _head_lines(detail: DetailReply, paint: Paint) -> Iterator[str]:
    summary = detail["summary"]
    protected = " (production)" if summary["production"] else ""
    yield (
        f"{paint('strong', clean(summary['name']))}{protected}  {paint.verdict(summary['status'])}"
        f"  {paint.verdict(summary['verdict'])}"
    )
    if summary["shared"]:
        yield "  shared   by every environment of its stack"
    else:
        yield f"  branch   {clean(summary['branch'])}"
    for url in detail["urls"]:
        yield f"  url      {clean(url)}"
    took = "" if detail["create_s"] is None else f", in {duration(detail['create_s'])}"
    yield f"  created  {age(summary['created_at'])} ago{took}"
    yield f"  owner    {clean(summary['owner'])}"
    if (end := summary["expires_at"]) is not None:
        now = datetime.now(UTC)
        label, state = ("expired", "; it is going") if has_passed(end, now) else ("expires", "")
        yield f"  {label}  {until(end, now)}, at {at_minute(end)}{state}{_warning(detail)}"
    if (since := summary["stopped_at"]) is not None:
        name = clean(summary["name"])
        yield f"  stopped  {age(since)} ago; greenroom start {name} boots it from its own disks"
    idle = summary["operation"] is None
    if idle and summary["status"] == "not proved" and _in_doubt(detail):
        # What could be mended at once is told as an incident when that was done.
        yield "  doubt    something has happened since it was proved; soon an incident tells what"
    if summary["operation"] is not None:
        yield f"  running  operation {clean(summary['operation'])}"


def _in_doubt(detail: DetailReply) -> bool:
    """Whether its last proof held and is not what counts any more."""
    proof = detail["proof"]
    held = proof is not None and verdict_of(proof) == PROVED
    return held and detail["summary"]["verdict"] != PROVED


def _warning(detail: DetailReply) -> str:
    summary = detail["summary"]
    name = clean(summary["name"])
    return f"; greenroom extend {name} keeps it" if summary["warned_at"] else ""


def section(paint: Paint, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table with an empty line before it; nothing if it has no rows."""
    if rows:
        first, *lines = table(head, rows)
        yield from ("", paint("dim", first), *lines)


def _machine_rows(detail: DetailReply) -> list[tuple[str, ...]]:
    return [
        (
            machine["name"],
            machine["role"],
            machine["address"],
            f"{machine['instance_id']} {machine['instance_type']}",
            machine["image"],
            ", ".join(machine["groups"]),
            "-" if machine["artifact"] is None else machine["artifact"]["key"],
        )
        for machine in detail["machines"]
    ]


def _phase_row(phase: PhaseTimeReply) -> tuple[str, ...]:
    return (
        phase["phase"],
        phase["machine"] or "-",
        duration(phase["seconds"]).rjust(9),
        phase["message"],
    )


def restore_row(restore: RestoreReply) -> tuple[str, ...]:
    """A line of the table ``RESTORES``."""
    content = f"{count(restore['table_count'], 'table')}, {count(restore['row_count'], 'row')}"
    return (
        restore["machine"],
        restore["source"] or "-",
        restore["mode"],
        "-" if restore["taken_at"] is None else age(restore["taken_at"]),
        duration(restore["restore_s"]),
        duration(restore["verify_s"]),
        duration(restore["clone_s"]),
        content,
    )


def _incident_row(incident: IncidentReply) -> tuple[str, ...]:
    away = incident["away_s"]
    return (
        f"{age(incident['at'])} ago",
        clean(incident["subject"]),
        "-" if away is None else duration(away),
        clean(incident["message"]),
    )


def table_rows(restores: Sequence[RestoreReply]) -> list[tuple[str, ...]]:
    """The restored tables."""
    return [
        (each["name"], restore["machine"], str(each["rows"]).rjust(9), each["checksum"])
        for restore in restores
        for each in restore["tables"]
    ]


def proof_lines(proof: ProofReply | None, paint: Paint, *, in_doubt: bool = False) -> Iterator[str]:
    """Every claim with its verdict and evidence; ``in_doubt``: as it was, which need not be so any
    more."""
    if proof is None:
        yield from ("", "proof: not verified yet")
        return
    head = ("PROOF", "CLAIM", "VERDICT")
    cells = [
        (
            clean(claim["subject"]),
            clean(claim["claim"]),
            f"{'was ' if in_doubt else ''}{clean(claim['verdict'])}",
        )
        for claim in proof["claims"]
    ]
    widths = columns_of(head, cells)
    titles = (pad(cell, columns) for cell, columns in zip(head, widths, strict=True))
    yield from ("", paint("dim", "  ".join((*titles, "EVIDENCE"))))
    for claim, row in zip(proof["claims"], cells, strict=True):
        # The colour goes around the padded cell: its codes have no width.
        subject, text, verdict = (pad(cell, w) for cell, w in zip(row, widths, strict=True))
        coloured = paint(style_of(row[2]), verdict)
        yield f"{subject}  {text}  {coloured}  {clean(claim['evidence'])}".rstrip()
    yield from ("", f"looked at {age(proof['at'])} ago")
