"""Jobs as a team writes them: below ``jobs`` of the blueprint, or a file each in ``jobs/``.

What one value must look like is checked here; what refers to something else, in
``job_references``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from greenroom.blueprint import fields
from greenroom.blueprint.fields import shown
from greenroom.blueprint.part import Part, without_repeats
from greenroom.model.access import Role
from greenroom.model.job_words import Missed, OptionKind, Outcome

JOB_TIMEOUT_S = 3600.0
APPROVAL_EXPIRES_S = 86400.0
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def _value_text(value: object) -> object:
    """``true`` and ``7`` of YAML as the text that a person would give."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return value
    raise ValueError(f"{shown(value)} is not text, a whole number, true or false")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{shown(text)} is not a regular expression: {error}") from None
    return text


def _cron(text: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(text, _SOME_TIME))
    except (CronSimError, StopIteration) as error:
        reason = str(error) or "it never comes"
        raise ValueError(
            f"{shown(text)} is not a cron line ({reason}); expected minute, hour, day, month and "
            "weekday such as '0 3 * * *'"
        ) from None
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{shown(text)} is not a time zone such as 'Europe/Berlin' or 'UTC'"
        ) from None
    return text


OptionValue = Annotated[
    fields.Word,
    BeforeValidator(_value_text),
    WithJsonSchema({"type": ["string", "integer", "boolean"]}),
]
LongSeconds = Annotated[float, Field(gt=0, le=604800, allow_inf_nan=False)]


class DependenceSpec(Part):
    """When an option counts."""

    option: str
    """Another option of the job, which must have a value."""
    value: OptionValue | None = None
    """The value that it must have; any, if left out."""


class OptionSpec(Part):
    """What a job asks for."""

    model_config = ConfigDict(defer_build=False)

    type: Annotated[OptionKind, Field(strict=False)] = OptionKind.STRING
    """What the value must be."""
    description: fields.Text = ""
    """What a form shows beside it."""
    default: OptionValue | None = None
    """The value if nobody gives one; a secret has none."""
    required: bool = False
    """Whether a run without a value is refused."""
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    """Regular expression (Python's) that the whole value must match."""
    choices: Annotated[tuple[OptionValue, ...], AfterValidator(without_repeats)] = ()
    """The values of a `choice`."""
    minimum: int | None = None
    """The least value of an `integer`."""
    maximum: int | None = None
    """The greatest value of an `integer`."""
    depends_on: DependenceSpec | None = None
    """The option counts, and is required, only where another one has a value."""


class JobMachinesSpec(Part):
    """Which machines a job runs in: all of that role, at once."""

    role: str
    """Role of the machines."""
    environment: str | None = None
    """The option that names the environment; may be left out if the job has only one of type
    `environment`."""


class RetrySpec(Part):
    """Another try for an execution that failed."""

    times: Annotated[int, Field(ge=1, le=20)] = 1
    """How many more."""
    delay_s: Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)] = 0.0
    """How long after the failure."""
    interrupted: bool = False
    """Whether also when the daemon was killed while the job ran. Only for a job that may be run
    twice."""


class ConcurrencySpec(Part):
    """How many executions may run at once; others wait for their turn."""

    key: fields.Label | None = None
    """Jobs of the stack that share the limit write the same key [default: the job's name]."""
    limit: Annotated[int, Field(ge=1, le=100)] = 1
    """How many at once."""
    per: str | None = None
    """An option: the limit holds for each of its values, such as each environment."""


class ScheduleSpec(Part):
    """A time at which the job runs by itself."""

    cron: Annotated[str, AfterValidator(_cron)]
    """Minute, hour, day, month, weekday as crontab(5) has them; with six fields, seconds first."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """Time zone of the cron line."""
    options: dict[str, OptionValue] = {}
    """Values of the options."""
    missed: Annotated[Missed, Field(strict=False)] = Missed.SKIP
    """Whether a time that passed while the daemon was down is made up for, once."""


class WhoSpec(Part):
    """Who may."""

    role: Annotated[Role, Field(strict=False)] = Role.DEVELOPER
    """The least role on the stack."""
    callers: Annotated[tuple[fields.Text, ...], AfterValidator(without_repeats)] = ()
    """Only these, by name of user or token."""


class ApprovalSpec(Part):
    """Whose consent an execution waits for; never that of whoever asked for it."""

    role: Annotated[Role, Field(strict=False)] = Role.OPERATOR
    """The least role on the stack."""
    callers: Annotated[tuple[fields.Text, ...], AfterValidator(without_repeats)] = ()
    """Only these, by name of user or token."""
    expires_s: LongSeconds = APPROVAL_EXPIRES_S
    """How long it waits."""


class NotifySpec(Part):
    """A webhook: the execution as JSON, by POST, when it has ended."""

    url: fields.WebAddress
    """Where to."""
    on: Annotated[
        tuple[Annotated[Outcome, Field(strict=False)], ...],
        Field(min_length=1),
        AfterValidator(without_repeats),
    ] = (Outcome.SUCCESS, Outcome.FAILURE)
    """After which ends."""


class JobSpec(Part):
    """Something that people may run."""

    model_config = ConfigDict(defer_build=False)

    description: fields.Text = ""
    """What it does, for people."""
    options: dict[fields.TypeName, OptionSpec] = {}
    """What it asks for; each value is in the environment variable `OPTION_NAME`."""
    command: Annotated[tuple[fields.Word, ...], Field(min_length=1)] | None = None
    """Program and arguments."""
    script: fields.ShellText | None = None
    """In place of `command`: a script for `sh -eu`."""
    machines: JobMachinesSpec | None = None
    """The machines that it runs in; without, it runs on the control plane, in the blueprint's
    folder."""
    user: fields.UserName | None = None
    """Who runs it on the control plane [default: the owner of the blueprint's folder; a user id of
    its own if that is root]."""
    timeout_s: LongSeconds = JOB_TIMEOUT_S
    """When it is ended."""
    retry: RetrySpec | None = None
    """Another try after a failure."""
    concurrency: ConcurrencySpec | None = None
    """How many at once."""
    schedule: tuple[ScheduleSpec, ...] = ()
    """When it runs by itself."""
    run: WhoSpec | None = None
    """Who may run it; besides, the rights of its environment hold."""
    approval: ApprovalSpec | None = None
    """Whose consent it needs."""
    notify: tuple[NotifySpec, ...] = ()
    """Who is told of its end."""
