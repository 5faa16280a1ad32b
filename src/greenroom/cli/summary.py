"""What ``create``, ``deploy`` and ``destroy`` say at their end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.cli.terminal import Paint
from greenroom.cli.text import age, at_minute, clean, count, duration, until
from greenroom.cli.verdict import NOT_VERIFIED, PROVED, verdict_of

if TYPE_CHECKING:
    from greenroom.cli.shapes import DetailReply, ReceiptReply, RestoreReply


def environment_summary(detail: DetailReply, seconds: float, paint: Paint) -> list[str]:
    """Verdict and time, the URLs, the data's age, the code, its end, and what to try next."""
    summary = detail["summary"]
    verdict = summary["verdict"]
    took = duration(detail["create_s"] if detail["create_s"] is not None else seconds)
    name = clean(summary["name"])
    lines = ["", f"{paint('strong', name)} is {paint.verdict(verdict)} in {took}"]
    if detail["urls"]:
        lines += ["", *(f"  {paint('strong', clean(url))}" for url in detail["urls"]), ""]
    lines += [f"  data  {restore_line(restore)}" for restore in detail["restores"]]
    lines += [f"  code  {line}" for line in artifact_lines(detail)]
    if (end := summary["expires_at"]) is not None:
        lines.append(f"  ends  {until(end)}, at {at_minute(end)}")
    lines += [f"  {line}" for line in open_claims(detail, paint)]
    lines += [f"  next  {line}" for line in next_commands(detail)]
    return lines


def restore_line(restore: RestoreReply) -> str:
    """``db1: extract, 16 hours old; cloned in 14 ms, restored cold in 12.40 s``."""
    machine = clean(restore["machine"])
    if restore["source"] is None:
        return f"{machine}: empty"
    parts = []
    if restore["clone_s"] is not None:
        parts.append(f"cloned in {duration(restore['clone_s'])}")
    if restore["restore_s"] is not None:
        parts.append(f"restored cold in {duration(restore['restore_s'])}")
    if restore["verify_s"] is not None:
        parts.append(f"verified in {duration(restore['verify_s'])}")
    how = ", ".join(parts) or clean(restore["mode"])
    return f"{machine}: {clean(restore['source'])}, {age(restore['taken_at'])} old; {how}"


def artifact_lines(detail: DetailReply) -> list[str]:
    """Per machine the code that it runs."""
    lines = []
    for machine in detail["machines"]:
        artifact = machine["artifact"]
        if artifact is not None:
            fallback = " (the default branch's: this branch has none)"
            suffix = fallback if artifact["fallback"] else ""
            lines.append(f"{clean(machine['name'])}: {clean(artifact['key'])}{suffix}")
    return lines


def open_claims(detail: DetailReply, paint: Paint) -> list[str]:
    """Every claim that is not proved, with its evidence; and how many flows are not."""
    proof = detail["proof"]
    if proof is None or verdict_of(proof) == PROVED:
        return []
    lines = [
        f"{paint.verdict(claim['verdict'])}: {clean(claim['subject'])}: {clean(claim['claim'])}"
        f" ({clean(claim['evidence'])})"
        for claim in proof["claims"]
        if claim["verdict"] != PROVED
    ]
    flows = [flow for flow in proof["flows"] if flow["verdict"] != PROVED]
    if flows:
        command = f"greenroom flows {clean(detail['summary']['name'])}"
        worst = NOT_VERIFIED if all(f["verdict"] == NOT_VERIFIED for f in flows) else "failed"
        lines.append(f"{paint.verdict(worst)}: {count(len(flows), 'flow')}; see {command}")
    return lines


def next_commands(detail: DetailReply) -> list[str]:
    """Commands that make sense now."""
    name = clean(detail["summary"]["name"])
    first = clean(detail["machines"][0]["name"]) if detail["machines"] else ""
    commands = [f"greenroom show {name}", f"greenroom flows {name}"]
    commands += [f"greenroom shell {name} {first}"] if first else []
    return [*commands, f"greenroom destroy {name}"]


def receipt_lines(receipt: ReceiptReply, paint: Paint) -> list[str]:
    """What was removed, by kind; what is left over, by name."""
    kinds: dict[str, int] = {}
    for resource in receipt["removed"]:
        kinds[resource["kind"]] = kinds.get(resource["kind"], 0) + 1
    removed = ", ".join(count(number, clean(kind)) for kind, number in sorted(kinds.items()))
    left_over = receipt["left_over"]
    lines = [
        f"{paint('strong', clean(receipt['environment']))} is gone in "
        f"{duration(receipt['seconds'])}"
        if not left_over
        else f"{paint('strong', clean(receipt['environment']))} is not wholly gone",
        f"  removed    {removed or 'nothing: the host held nothing of it'}",
        f"  left over  {paint('bad' if left_over else 'good', f'{len(left_over)} left over')}",
    ]
    lines += [f"    {clean(each['kind'])} {clean(each['name'])}" for each in left_over]
    return lines
