"""Jobs: what a team lets people run, and what became of each execution.

A **job** is a definition. An **execution** is one run of it, with values for its options; a retry
is an execution of its own that names the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from greenroom.model.access import Role
from greenroom.model.job_words import Missed, OptionKind, Outcome

MASK = "******"
"""What stands wherever a secret would."""
BUILT_IN = "greenroom"
"""``greenroom:deploy``: what stands before the name of a job that wraps an operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """The option counts only where ``option`` has a value, or has this ``value``."""

    option: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOption:
    """What a job asks for. All values are text; ``kind`` says what text. ``minimum`` and
    ``maximum`` are those of an integer."""

    name: str
    kind: OptionKind
    description: str = ""
    default: str | None = None
    required: bool = False
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    depends_on: Dependence | None = None

    @property
    def variable(self) -> str:
        """The environment variable that holds its value: ``OPTION_DRY_RUN``."""
        return f"OPTION_{self.name.upper().replace('-', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """At most ``limit`` executions of jobs with this ``key`` run at once in the stack; with
    ``per``, for each value of that option."""

    key: str
    limit: int = 1
    per: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a job runs by itself: a cron line, read in the time zone ``zone``."""

    cron: str
    zone: str
    options: tuple[tuple[str, str], ...] = ()
    missed: Missed = Missed.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who may: callers of at least ``role`` and, where ``callers`` names some, only those."""

    role: Role
    callers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who must agree before an execution starts, and how long it waits for that."""

    who: Who
    expires_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a failed execution is tried again; ``interrupted``: also one that the daemon's
    end interrupted."""

    times: int = 0
    delay_s: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where the end of an execution is told."""

    url: str
    on: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTarget:
    """The machines of a role, of the environment that the option ``environment`` names."""

    role: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A definition. ``target`` None is the control plane, where ``user`` runs it (None: the owner
    of the blueprint's folder ``folder``, or a user id of its own if that is root)."""

    stack: str
    name: str
    description: str
    argv: tuple[str, ...]
    folder: str
    timeout_s: float
    options: tuple[JobOption, ...] = ()
    target: MachineTarget | None = None
    user: str | None = None
    retries: Retries = Retries()
    concurrency: Concurrency | None = None
    schedules: tuple[Schedule, ...] = ()
    run: Who | None = None
    approval: Approval | None = None
    notify: tuple[Webhook, ...] = ()

    @property
    def full_name(self) -> str:
        """``photos/count-rows``, or ``greenroom:deploy`` for a built-in one."""
        return f"{self.stack}:{self.name}" if self.built_in else f"{self.stack}/{self.name}"

    @property
    def built_in(self) -> bool:
        """Whether it wraps an operation of greenroom's own. Those have no command."""
        return not self.argv

    def option(self, name: str) -> JobOption | None:
        """The option of that name."""
        return next((each for each in self.options if each.name == name), None)

    @property
    def environment_option(self) -> str | None:
        """The option that says which environment is meant: its machines', or the first one."""
        if self.target is not None:
            return self.target.environment
        kinds = (each.name for each in self.options if each.kind is OptionKind.ENVIRONMENT)
        return next(kinds, None)


class ExecutionStatus(StrEnum):
    """Where an execution stands. All but the first three are final."""

    AWAITING_APPROVAL = "awaiting approval"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    """The daemon ended while it ran."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody approved it in time."""

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (self.AWAITING_APPROVAL, self.QUEUED, self.RUNNING)


class Trigger(StrEnum):
    """Why an execution exists."""

    CALLER = "caller"
    SCHEDULE = "schedule"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionView:
    """An execution as clients see it. ``options`` has ``MASK`` for every secret. ``decided_by``
    approved or rejected it; ``retried_by`` is the execution that tries it again; ``operation`` is
    that of a built-in job. ``log_truncated``: lines past the limit were not kept."""

    id: str
    job: str
    stack: str
    environment: str | None
    options: tuple[tuple[str, str], ...]
    status: ExecutionStatus
    trigger: Trigger
    asked_by: str
    decided_by: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    exit_code: int | None
    code: str | None
    message: str
    hint: str | None
    attempt: int
    retry_of: str | None
    retried_by: str | None
    operation: str | None
    log_lines: int
    log_truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """A schedule with the next time at which it fires."""

    cron: str
    zone: str
    options: tuple[tuple[str, str], ...]
    missed: Missed
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as clients see it. ``where`` is ``control plane`` or ``machines of role backend``;
    ``last`` is its newest execution, and ``may_run`` says whether the caller could run it on an
    environment that is not production."""

    name: str
    stack: str
    description: str
    built_in: bool
    where: str
    options: tuple[JobOption, ...]
    environment_option: str | None
    timeout_s: float
    retries: Retries
    concurrency: Concurrency | None
    schedules: tuple[ScheduleView, ...]
    run: Who | None
    approval: Approval | None
    may_run: bool
    last: ExecutionView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a program is started with. ``environment`` may hold secrets, so it never becomes part
    of a command line; ``user`` None is the owner of ``folder``, or one of its own for root's."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    folder: str
    user: str | None
