"""The values that somebody gives for a job's options, against what the job asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from greenroom.blueprint.job_values import value_problem
from greenroom.blueprint.nearest import unknown
from greenroom.errors import InputError, OptionsError
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import MASK, Job, JobOption
from greenroom.plan.schedules import spoken_date

TOTAL_BYTES_MAX = 64 * 1024
"""All values of an execution: they lie in the environment of its process."""


def resolve_options(
    job: Job, given: Mapping[str, str], now: datetime, zone: str = "UTC"
) -> dict[str, str]:
    """The value of every option that counts, defaults and dates filled in, in the job's order.

    Raises OptionsError E_JOB_OPTION with all that is wrong with names and values, or InputError
    E_JOB_OPTIONS_SIZE. Neither quotes a secret.
    """
    strange = [
        unknown("option", name, [each.name for each in job.options])
        for name in given
        if job.option(name) is None
    ]
    wrong: dict[str, str] = {}
    values: dict[str, str] = {}
    for option in _in_order(job):
        problem = _resolve(job, option, given, values, now, zone)
        if problem is not None:
            wrong[option.name] = problem
    if strange or wrong:
        problems = [*strange, *(f"option {name!r} {problem}" for name, problem in wrong.items())]
        raise OptionsError(
            "E_JOB_OPTION",
            f"{job.full_name}: {'; '.join(problems)}",
            options=wrong,
            hint=f"greenroom job show {job.full_name} lists the options",
        )
    size = sum(len(value.encode()) for value in values.values())
    if size > TOTAL_BYTES_MAX:
        raise InputError(
            "E_JOB_OPTIONS_SIZE",
            f"{job.full_name}: the values of all options have {size} bytes; "
            f"expected at most {TOTAL_BYTES_MAX}",
            hint="hand large values over as a file or an object of a bucket",
        )
    return {each.name: values[each.name] for each in job.options if each.name in values}


def masked(job: Job, values: Mapping[str, str]) -> dict[str, str]:
    """The values as anybody may see them."""
    return {name: MASK if is_secret(job.option(name)) else value for name, value in values.items()}


def secrets_of(job: Job, values: Mapping[str, str]) -> tuple[str, ...]:
    """The values that must be seen nowhere."""
    return tuple(value for name, value in values.items() if is_secret(job.option(name)))


def is_secret(option: JobOption | None) -> bool:
    """Whether its value is one."""
    return option is not None and option.kind is OptionKind.SECRET


def _in_order(job: Job) -> list[JobOption]:
    """What others depend on comes first; the definition was checked to have no circle."""
    ordered: list[JobOption] = []

    def add(option: JobOption) -> None:
        if option in ordered:
            return
        other = option.depends_on and job.option(option.depends_on.option)
        if other:
            add(other)
        ordered.append(option)

    for option in job.options:
        add(option)
    return ordered


def _resolve(
    job: Job,
    option: JobOption,
    given: Mapping[str, str],
    values: dict[str, str],
    now: datetime,
    zone: str,
) -> str | None:
    """Put the option's value into ``values``; what is wrong with it, if something is."""
    text = given.get(option.name, "")
    condition = _missing_condition(option, values)
    if condition is not None:
        return f"counts only with {condition}" if text else None
    # An empty text is no value: a form sends one for every field that was left empty.
    text = text or option.default or ""
    if not text:
        return "is required" if option.required else None
    problem = value_problem(option, text)
    if problem is None:
        is_date = option.kind is OptionKind.DATE
        values[option.name] = spoken_date(text, now, zone) if is_date else text
    return problem


def _missing_condition(option: JobOption, values: Mapping[str, str]) -> str | None:
    """What an option that depends on another still lacks: ``mode=full``."""
    needed = option.depends_on
    if needed is None:
        return None
    has = values.get(needed.option)
    if needed.value is None:
        return None if has else f"{needed.option}=…"
    return None if has == needed.value else f"{needed.option}={needed.value}"
