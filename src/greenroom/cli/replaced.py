"""What ``replace`` and ``drill`` say at their end: machine by machine, how long, and what a client
saw meanwhile."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from greenroom.cli.summary import open_claims
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, duration, table

if TYPE_CHECKING:
    from greenroom.cli.client import Client
    from greenroom.cli.follow import Followed
    from greenroom.cli.shapes import SeenReply, TimingReply


_RESTORED = ("DRILL", "RESTORED COLD", "BOOT", "IN ALL", "VERDICT")
_REPLACED = ("MACHINE", "AS EXPECTED AFTER", "BOOT", "VERDICT")
_DRILLED = ("MACHINE", "AS EXPECTED AFTER", "BOOT", "REQUESTS", "ERRORS", "GAP", "VERDICT")


def say_replaced(client: Client, followed: Followed, done: str, *, as_json: bool) -> None:
    """Print the rows of the operation, then raise its error if it has one."""
    operation = followed.operation
    rows = client.timings(operation["id"])
    detail = client.environment(operation["environment"])
    if as_json:
        say_json({"environment": detail, "timings": rows})
    else:
        paint = Paint(sys.stdout)
        for line in timing_lines(rows):
            say(line)
        if followed.error is None:
            verdict = paint.verdict(detail["summary"]["verdict"])
            name = paint("strong", clean(detail["summary"]["name"]))
            say(f"{name} is {done} and {verdict}")
        for line in open_claims(detail, paint):
            say(f"  {line}")
    if followed.error is not None:
        raise followed.error


def timing_lines(rows: list[TimingReply]) -> list[str]:
    """A table: of restores, of replacements, or of these with what a client saw."""
    if any(row["restore_s"] is not None for row in rows):
        return table(_RESTORED, [_restored(row) for row in rows])
    if any(row["seen"] is not None for row in rows):
        return table(_DRILLED, [_drilled(row) for row in rows])
    return table(_REPLACED, [_replaced(row) for row in rows]) if rows else []


def _restored(row: TimingReply) -> tuple[str, ...]:
    seconds = (row["restore_s"], row["boot_s"], row["total_s"])
    return (row["machine"] or "", *map(duration, seconds), row["verdict"])


def _replaced(row: TimingReply) -> tuple[str, ...]:
    boot = duration(row["boot_s"])
    return (row["machine"] or "", duration(row["total_s"]), boot, row["verdict"])


def _drilled(row: TimingReply) -> tuple[str, ...]:
    machine, total, boot, verdict = _replaced(row)
    seen = row["seen"]
    if seen is None:
        return (machine, total, boot, "-", "-", "-", verdict)
    requests = str(seen["requests"]) + ("" if seen["whole"] else " (in part)")
    return (machine, total, boot, requests, errors_of(seen), _gap(seen), verdict)


def errors_of(seen: SeenReply) -> str:
    """``3 (503), 1 (timeout)``, or ``none``."""
    return ", ".join(f"{count} ({kind})" for kind, count in seen["errors"]) or "none"


def _gap(seen: SeenReply) -> str:
    """The longest time without a good answer; a dash if there was never one."""
    return duration(seen["longest_gap_s"])
