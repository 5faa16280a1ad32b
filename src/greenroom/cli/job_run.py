"""Running a job from the terminal: its options, its log as it comes, its outcome as ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from greenroom.cli.client import Client, error_from
from greenroom.cli.connect import connect
from greenroom.cli.follow import RECONNECTS_MAX, LeftAloneError
from greenroom.cli.interrupts import Interrupts
from greenroom.cli.terminal import interactive, note, say, say_json
from greenroom.cli.text import clean, duration
from greenroom.errors import GreenroomError, OperationError, UsageError

if TYPE_CHECKING:
    from greenroom.cli.shapes import ExecutionReply, JobLineReply, JobOptionReply

_FINAL = frozenset({"succeeded", "failed", "aborted", "interrupted", "rejected", "expired"})
ABORTING = "aborting; press Ctrl-C again to leave it to the daemon"
_VALUE_BYTES_MAX = 64 * 1024


def option_values(
    job: str, options: Sequence[JobOptionReply], words: Sequence[str]
) -> dict[str, str]:
    """``NAME=VALUE`` words as values. A secret is ``NAME=@FILE`` or ``NAME=@-`` (stdin), or it is
    asked for: on a command line everybody on the host could read it. Raises UsageError."""
    secrets = {option["name"] for option in options if option["kind"] == "secret"}
    values: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise UsageError(
                "E_USAGE",
                f"{word!r} is not an option's value; expected NAME=VALUE",
                hint=f"greenroom job show {job} lists the options",
            )
        if name in values:
            raise UsageError("E_USAGE", f"the option {name!r} is given twice", hint="give it once")
        values[name] = _secret(name, value) if name in secrets else value
    for option in options:
        wanted = option["name"] in secrets and option["required"] and not option["depends_on"]
        if wanted and option["name"] not in values:
            values[option["name"]] = _asked(option["name"])
    return values


def _secret(name: str, value: str) -> str:
    if not value.startswith("@"):
        raise UsageError(
            "E_SECRET_ON_COMMAND_LINE",
            f"{name} is a secret, and a command line can be read by everybody on this host",
            hint=f"{name}=@FILE reads it from a file, {name}=@- from stdin",
        )
    if value == "@-":
        return sys.stdin.read(_VALUE_BYTES_MAX).removesuffix("\n")
    try:
        return Path(value[1:]).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "E_USAGE",
            f"{name}: {value[1:]} cannot be read: {error}",
            hint=f"{name}=@- reads it from stdin",
        ) from error


def _asked(name: str) -> str:
    if not interactive():
        raise UsageError(
            "E_USAGE",
            f"the secret {name} is missing",
            hint=f"{name}=@FILE reads it from a file, {name}=@- from stdin",
        )
    from getpass import getpass

    return getpass(f"{name}: ")


def follow_execution(client: Client, execution: ExecutionReply, *, as_json: bool) -> None:
    """Print the log until the execution, and what retries it, has ended; raises GreenroomError if
    it did not succeed. Ctrl-C aborts it, a second one leaves."""
    with Interrupts() as interrupts:
        while True:
            _announce(execution, as_json=as_json)
            execution = _to_its_end(client, execution["id"], interrupts, as_json=as_json)
            following = execution["retried_by"]
            if following is None:
                break
            note(f"{_outcome(execution)}; trying again as {following}")
            execution = client.execution(following)
    if as_json:
        say_json({"execution": execution})
    error = error_of_execution(execution)
    if error is not None:
        raise error
    if not as_json:
        note(_outcome(execution))


def error_of_execution(execution: ExecutionReply) -> GreenroomError | None:
    """What an execution ended with, if not well."""
    if execution["status"] == "succeeded":
        return None
    return error_from(
        execution["code"] or "E_JOB_FAILED",
        execution["message"] or f"{execution['job']} is {execution['status']}",
        hint=execution["hint"] or "",
        exit_code=1,
    )


def print_line(line: JobLineReply, *, as_json: bool) -> None:
    """One line of a log, with the machine that printed it."""
    if as_json:
        say_json(line)
        return
    machine = line["machine"]
    say(clean(line["text"]) if machine is None else f"{clean(machine)}  {clean(line['text'])}")


def _announce(execution: ExecutionReply, *, as_json: bool) -> None:
    if as_json or execution["status"] != "awaiting approval":
        return
    name = execution["id"]
    note(f"{clean(execution['job'])} waits for approval: greenroom job approve {name}")


def _to_its_end(
    client: Client, execution_id: str, interrupts: Interrupts, *, as_json: bool
) -> ExecutionReply:
    is_aborted = False
    for line in _lines(client, execution_id, interrupts.wake_fd):
        if interrupts.count > 1:
            raise LeftAloneError(
                "E_LEFT_TO_DAEMON",
                f"the daemon goes on aborting execution {execution_id}",
                hint=f"greenroom job log {execution_id}",
            )
        if interrupts.count == 1 and not is_aborted:
            is_aborted = True
            interrupts.drain()
            note(ABORTING)
            client.change_execution(execution_id, "abort")
        if line is not None:
            print_line(line, as_json=as_json)
    return client.execution(execution_id)


def _lines(client: Client, execution_id: str, wake_fd: int) -> Iterator[JobLineReply | None]:
    """All lines, also across a restart of the daemon, which ends what it ran."""
    after = 0
    for _ in range(RECONNECTS_MAX):
        try:
            for line in client.job_log(execution_id, after=after, follow=True, wake_fd=wake_fd):
                if line is not None:
                    after = line["seq"]
                yield line
        except OperationError as error:
            if error.code != "E_DAEMON_GONE":
                raise
            client = connect()
        else:
            if client.execution(execution_id)["status"] in _FINAL:
                return
    raise OperationError(
        "E_EVENTS_BROKEN",
        f"the log of execution {execution_id} ended before it did, {RECONNECTS_MAX} times",
        hint=f"greenroom job log {execution_id} -f follows it again",
    )


def _outcome(execution: ExecutionReply) -> str:
    parts: Mapping[str, str | None] = {
        "job": clean(execution["job"]),
        "status": execution["status"],
        "time": f"in {duration(execution['duration_s'])}" if execution["started_at"] else None,
        "message": clean(execution["message"]) if execution["code"] else None,
    }
    return " ".join(part for part in parts.values() if part)
