"""The jobs that wrap greenroom's own operations: the same options, the same rights, one history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from greenroom.app.control_plane import ControlPlane
from greenroom.app.jobs.log import LogWriter
from greenroom.app.jobs.stop import Stop, Why
from greenroom.app.lifetimes import Lifetimes
from greenroom.errors import GreenroomError
from greenroom.model.access import Caller
from greenroom.model.durations import PATTERN, parse_duration_s
from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import BUILT_IN, ExecutionStatus, Job, JobOption
from greenroom.model.requests import (
    CreateRequest,
    DeployRequest,
    DestroyRequest,
    DrillRequest,
    RecoverRequest,
    ReplaceRequest,
    Request,
    StartRequest,
    StopRequest,
)
from greenroom.model.views import OperationView
from greenroom.store.executions import ExecutionEnd

WAIT_S = 0.5
_TIMEOUT_S = 7200.0

Values = Mapping[str, str]


def _flag(name: str, description: str) -> JobOption:
    kind = OptionKind.BOOLEAN
    return JobOption(name=name, kind=kind, description=description, default="false")


def _option(name: str, description: str, *, required: bool = False) -> JobOption:
    return JobOption(name=name, kind=OptionKind.STRING, description=description, required=required)


_ENVIRONMENT = JobOption(
    name="environment",
    kind=OptionKind.ENVIRONMENT,
    description="Which environment",
    required=True,
)


def _words(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").replace(",", " ").split())


def _pairs(text: str | None) -> tuple[tuple[str, str], ...]:
    split = (word.partition("=") for word in _words(text))
    return tuple((name, value) for name, _, value in split)


def _create(values: Values) -> Request:
    return CreateRequest(
        blueprint=Path(values["blueprint"]),
        machines=_words(values.get("machines")),
        branch=values.get("branch"),
        restore=_pairs(values.get("restore")),
    )


def _deploy(values: Values) -> Request:
    return DeployRequest(environment=values["environment"], types=_words(values.get("types")))


def _destroy(values: Values) -> Request:
    return DestroyRequest(environment=values["environment"], confirm=values.get("confirm"))


def _recover(values: Values) -> Request:
    return RecoverRequest(environment=values["environment"])


def _stop(values: Values) -> Request:
    return StopRequest(environment=values["environment"])


def _start(values: Values) -> Request:
    return StartRequest(environment=values["environment"])


def _replace(values: Values) -> Request:
    return ReplaceRequest(
        environment=values["environment"],
        machines=_words(values.get("machines")),
        stateless=values["stateless"] == "true",
        confirm=values.get("confirm"),
    )


def _drill(values: Values) -> Request:
    return DrillRequest(
        environment=values["environment"],
        throw_away=values["throw-away"] == "true",
        confirm=values.get("confirm"),
    )


_CONFIRM = _option("confirm", "The name once more, for production")


def _job(name: str, description: str, *options: JobOption) -> Job:
    return Job(
        stack=BUILT_IN,
        name=name,
        description=description,
        argv=(),
        folder="/",
        timeout_s=_TIMEOUT_S,
        options=options,
    )


_OPERATIONS: tuple[tuple[Job, Callable[[Values], Request]], ...] = (
    (
        _job(
            "create",
            "Boot a branch: machines, data, firewall, proof.",
            _option("blueprint", "The blueprint's file on the host", required=True),
            _option("branch", "The branch; empty: the blueprint's default branch"),
            _option("machines", "Machine types, with commas; empty: all"),
            _option("restore", "What to restore from: DATA=SOURCE, with commas"),
        ),
        _create,
    ),
    (
        _job(
            "deploy",
            "Deploy the current artifacts to a running environment.",
            _ENVIRONMENT,
            _option("types", "Machine types, with commas; empty: all that deploy"),
        ),
        _deploy,
    ),
    (
        _job("recover", "Boot what does not run any more, from its own disks.", _ENVIRONMENT),
        _recover,
    ),
    (
        _job(
            "destroy",
            "Remove an environment.",
            _ENVIRONMENT,
            _CONFIRM,
        ),
        _destroy,
    ),
    (_job("stop", "End the machines and keep what they hold.", _ENVIRONMENT), _stop),
    (_job("start", "Boot a stopped environment from its own disks.", _ENVIRONMENT), _start),
    (
        _job(
            "replace",
            "Throw machines away and boot them anew.",
            _ENVIRONMENT,
            _option("machines", "Machines, with commas"),
            _flag("stateless", "All without a data volume"),
            _CONFIRM,
        ),
        _replace,
    ),
    (
        _job(
            "drill",
            "Restore every data source beside the environment, or throw machines away in turn.",
            _ENVIRONMENT,
            _flag("throw-away", "Replace each stateless machine while a client reads"),
            _CONFIRM,
        ),
        _drill,
    ),
)

EXTEND = _job(
    "extend",
    "Let an environment live longer.",
    _ENVIRONMENT,
    JobOption(
        name="ttl",
        kind=OptionKind.STRING,
        description="From now on, such as 8h; empty: as the blueprint says",
        pattern=PATTERN,
    ),
)
BUILT_IN_JOBS = (*(job for job, _ in _OPERATIONS), EXTEND)
_REQUESTS = {job.name: request for job, request in _OPERATIONS}


def begin(control: ControlPlane, job: Job, values: Values, caller: Caller) -> OperationView:
    """Submit the operation of a built-in job; raises GreenroomError, also for a missing right."""
    return control.submit(_REQUESTS[job.name](values), caller)


def extend(lifetimes: Lifetimes, values: Values, writer: LogWriter, caller: Caller) -> ExecutionEnd:
    """The one that is no operation: it is done at once. Raises GreenroomError."""
    ttl = values.get("ttl")
    ttl_s = None if ttl is None else parse_duration_s(ttl)
    extension = lifetimes.extend(values["environment"], ttl_s, caller)
    if extension.expires_at is not None:
        writer.say(f"{extension.environment} expires at {extension.expires_at:%Y-%m-%d %H:%M} UTC")
    if extension.awake_until is not None:
        writer.say(f"working hours leave it alone until {extension.awake_until:%Y-%m-%d %H:%M} UTC")
    return ExecutionEnd(status=ExecutionStatus.SUCCEEDED, exit_code=0)


def follow_to_end(
    job: Job,
    writer: LogWriter,
    stop: Stop,
    *,
    wait: Callable[[int], Sequence[Event]],
    cancel: Callable[[], object],
) -> ExecutionEnd | None:
    """Write the operation's events into the log until it has ended; ``wait`` gives those past a
    ``seq``, or none after ``WAIT_S``. An abort calls ``cancel``.

    None when the daemon ends before it: the operation goes on with the next one, which follows it
    again.
    """

    def heed() -> None:
        if stop.was_asked(Why.ABORT):
            try:
                cancel()
            except GreenroomError as error:
                writer.say(error.message)

    stop.attach(heed)
    # A line for each event: those that the last daemon wrote are there already.
    seq, written = 0, writer.lines
    while True:
        for event in wait(seq):
            seq = event.seq
            if written > 0:
                written -= 1
            else:
                writer.write([_line(event).encode()], event.machine)
            if event.kind is EventKind.RESULT:
                return _end(job, event)
        if stop.was_asked(Why.CLOSING):
            return None


def _line(event: Event) -> str:
    words = [event.phase, event.kind.value.removeprefix("phase-") if event.phase else ""]
    if event.seconds is not None:
        words.append(f"{event.seconds:.2f} s")
    head = " ".join(word for word in words if word)
    return ": ".join(part for part in (head, event.message) if part)


def _end(job: Job, event: Event) -> ExecutionEnd:
    status = {
        OperationStatus.SUCCEEDED: ExecutionStatus.SUCCEEDED,
        OperationStatus.CANCELLED: ExecutionStatus.ABORTED,
    }.get(event.status or OperationStatus.FAILED, ExecutionStatus.FAILED)
    if status is ExecutionStatus.SUCCEEDED and event.exit_code:
        # It ran, but what it made is not proved.
        status = ExecutionStatus.FAILED
    return ExecutionEnd(
        status=status,
        exit_code=event.exit_code,
        code=None if status is ExecutionStatus.SUCCEEDED else event.code or "E_JOB_FAILED",
        message=event.message,
        hint=event.hint,
    )
