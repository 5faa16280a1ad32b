"""``greenroom job``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from greenroom.cli.connect import connect
from greenroom.cli.job_run import follow_execution, option_values, print_line
from greenroom.cli.options import file_option, json_option
from greenroom.cli.provider import refuse_on_aws
from greenroom.cli.request import blueprint_path
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import age, at_minute, clean, count, duration, table

if TYPE_CHECKING:
    from greenroom.cli.shapes import ExecutionReply, JobOptionReply, JobReply

_HISTORY = 20


@click.group("job")
def job() -> None:
    """Run jobs, follow them, and see what ran."""
    refuse_on_aws("job", "jobs run on this host and in its machines", None)


@job.command("register")
@file_option
@json_option
def register(file: str | None, as_json: bool) -> None:
    """Read the jobs of a blueprint, and of jobs/ beside it, in place of the stack's."""
    jobs = connect().register_jobs(str(blueprint_path(file)))
    if as_json:
        say_json(jobs)
    else:
        names = ", ".join(clean(each["name"]) for each in jobs)
        say(f"{count(len(jobs), 'job')} registered{': ' if names else ''}{names}")


@job.command("list")
@json_option
def list_jobs(as_json: bool) -> None:
    """List the jobs."""
    jobs = connect().jobs()
    if as_json:
        say_json(jobs)
    else:
        _print_table(("JOB", "WHERE", "LAST RUN", "NEXT", "DESCRIPTION"), [_row(j) for j in jobs])


@job.command("show")
@click.argument("name", metavar="JOB|EXECUTION")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what a job asks for, or how an execution went."""
    client = connect()
    if _is_execution(name):
        execution = client.execution(name)
        _show_execution(execution) if not as_json else say_json(execution)
        return
    found = client.job(name)
    _show_job(found) if not as_json else say_json(found)


@job.command("run")
@click.argument("name", metavar="JOB")
@click.argument("words", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--detach", is_flag=True, help="Print the execution and leave it to the daemon.")
@json_option
def run(name: str, words: tuple[str, ...], detach: bool, as_json: bool) -> None:
    """Run a job and follow its log; its outcome is the exit code.

    A secret is NAME=@FILE, NAME=@- for stdin, or asked for. Ctrl-C aborts.
    """
    client = connect()
    found = client.job(name)
    values = option_values(found["name"], found["options"], words)
    execution = client.run_job(found["name"], values)
    if detach:
        _say_execution(execution, as_json=as_json)
    else:
        follow_execution(client, execution, as_json=as_json)


@job.command("retry")
@click.argument("execution", metavar="EXECUTION")
@click.argument("words", metavar="[SECRET=@FILE]...", nargs=-1)
@click.option("--detach", is_flag=True, help="Print the execution and leave it to the daemon.")
@json_option
def retry(execution: str, words: tuple[str, ...], detach: bool, as_json: bool) -> None:
    """Run a job again with the options of an execution; its secrets are asked for."""
    client = connect()
    former = client.execution(execution)
    kept = {name for name, _ in former["options"]}
    secrets = [
        option
        for option in client.job(former["job"])["options"]
        if option["kind"] == "secret" and option["name"] in kept
    ]
    values = option_values(former["job"], secrets, words)
    again = client.change_execution(execution, "retry", {"options": values})
    if detach:
        _say_execution(again, as_json=as_json)
    else:
        follow_execution(client, again, as_json=as_json)


@job.command("log")
@click.argument("execution", metavar="EXECUTION")
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended.")
@json_option
def log(execution: str, follow: bool, as_json: bool) -> None:
    """Print the log of an execution."""
    for line in connect().job_log(execution, after=0, follow=follow):
        if line is not None:
            print_line(line, as_json=as_json)


@job.command("history")
@click.argument("name", metavar="[JOB]", required=False)
@click.option("--environment", metavar="STACK/SLUG", help="Only what ran on this environment.")
@click.option(
    "-n", "limit", type=click.IntRange(1, 200), default=_HISTORY, help="How many [default: 20]."
)
@json_option
def history(name: str | None, environment: str | None, limit: int, as_json: bool) -> None:
    """List executions, the newest first."""
    found = connect().executions(job=name, environment=environment, limit=limit)
    if as_json:
        say_json(found)
        return
    head = ("EXECUTION", "JOB", "STATUS", "BY", "AGE", "TOOK", "OPTIONS")
    _print_table(head, [_execution_row(each) for each in found])


@job.command("abort")
@click.argument("execution", metavar="EXECUTION")
@json_option
def abort(execution: str, as_json: bool) -> None:
    """End an execution with all its processes."""
    _say_execution(connect().change_execution(execution, "abort"), as_json=as_json)


@job.command("approve")
@click.argument("execution", metavar="EXECUTION")
@json_option
def approve(execution: str, as_json: bool) -> None:
    """Let an execution begin that somebody else asked for."""
    _say_execution(connect().change_execution(execution, "approve"), as_json=as_json)


@job.command("reject")
@click.argument("execution", metavar="EXECUTION")
@json_option
def reject(execution: str, as_json: bool) -> None:
    """Say no to an execution that waits for approval."""
    _say_execution(connect().change_execution(execution, "reject"), as_json=as_json)


def _say_execution(execution: ExecutionReply, *, as_json: bool) -> None:
    if as_json:
        say_json(execution)
    else:
        say(f"{execution['id']}  {clean(execution['job'])}  {execution['status']}")


def _is_execution(text: str) -> bool:
    """Whether it is an execution's id, which looks like no job's name: ``ex`` and 12 hex digits."""
    return len(text) == 14 and text.startswith("ex") and set(text[2:]) <= set("0123456789abcdef")


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    first, *lines = table(head, rows)
    say(Paint(sys.stdout)("dim", first))
    for line in lines:
        say(line)


def _row(reply: JobReply) -> tuple[str, ...]:
    last, times = reply["last"], [each["next_at"] for each in reply["schedules"]]
    following = sorted(at for at in times if at is not None)
    return (
        reply["name"],
        reply["where"],
        f"{last['status']} {age(last['created_at'])} ago" if last else "-",
        at_minute(following[0]) if following else "-",
        reply["description"],
    )


def _execution_row(reply: ExecutionReply) -> tuple[str, ...]:
    return (
        reply["id"],
        reply["job"],
        reply["status"],
        reply["asked_by"],
        age(reply["created_at"]),
        duration(reply["duration_s"]),
        " ".join(f"{name}={value}" for name, value in reply["options"]),
    )


def _show_job(reply: JobReply) -> None:
    say(f"{clean(reply['name'])}  {clean(reply['description'])}")
    say(f"runs on {clean(reply['where'])}, at most {duration(reply['timeout_s'])}")
    approval = reply["approval"]
    if approval is not None:
        say(f"waits for the approval of another {approval['who']['role']}")
    for each in reply["schedules"]:
        at = each["next_at"]
        say(
            f"by itself at {each['cron']} ({each['zone']}), next {at_minute(at) if at else 'never'}"
        )
    if reply["options"]:
        say()
        head = ("OPTION", "TYPE", "DEFAULT", "DESCRIPTION")
        _print_table(head, [_option_row(option) for option in reply["options"]])


def _option_row(option: JobOptionReply) -> tuple[str, ...]:
    kind = "|".join(option["choices"]) or option["kind"]
    default = option["default"] or ("(required)" if option["required"] else "-")
    needs = option["depends_on"]
    condition = ""
    if needs is not None:
        condition = f" (with {needs['option']}={needs['value'] or '…'})"
    return option["name"], kind, default, option["description"] + condition


def _show_execution(reply: ExecutionReply) -> None:
    paint = Paint(sys.stdout)
    say(f"{clean(reply['job'])}  {paint.verdict(reply['status'])}  {reply['id']}")
    by = f"asked for by {clean(reply['asked_by'])} {age(reply['created_at'])} ago"
    if reply["decided_by"]:
        by += f", decided on by {clean(reply['decided_by'])}"
    say(f"{by}; took {duration(reply['duration_s'])}")
    for name, value in reply["options"]:
        say(f"  {clean(name)}={clean(value)}")
    if reply["code"]:
        say(f"{reply['code']}: {clean(reply['message'])}")
    for word, other in (
        ("tries again", reply["retry_of"]),
        ("tried again by", reply["retried_by"]),
    ):
        if other:
            say(f"{word} {other}")
