"""What is refused before an execution exists: unknown jobs, wrong values, missing rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from greenroom.app.door import refused_status
from greenroom.app.host_paths import require_blueprint
from greenroom.app.jobs.built_in import BUILT_IN_JOBS
from greenroom.app.jobs.run import machines_of_role
from greenroom.app.lookup import machine_named, pick
from greenroom.app.rights import require
from greenroom.blueprint.nearest import unknown
from greenroom.errors import InputError, RefusedError
from greenroom.model.access import EVERY_STACK, Action, Caller, allows
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import Job, Who
from greenroom.model.stack import Machine, Stack
from greenroom.plan.job_options import resolve_options
from greenroom.store.environments import STANDING, EnvironmentRecord, list_environments
from greenroom.store.executions import ExecutionRecord
from greenroom.store.jobs import list_jobs

SCHEDULER = Caller.system("schedule")
"""Who asks when a schedule fires; the definition that has the schedule is its leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A run that may be: its values with the environments' full names, and the stack whose rights
    count (``EVERY_STACK`` while nobody knows)."""

    values: dict[str, str] = field(repr=False)
    environment: str | None
    stack: str


def visible(caller: Caller, stack: str) -> bool:
    """Whether the caller may see what belongs to the stack."""
    return allows(caller, Action.READ, stack, production=False)


def find_job(connection: Connection, text: str, caller: Caller) -> Job:
    """The job called ``text``: its full name, or its name where only one stack has it.

    Raises InputError E_NO_JOB with the nearest name, or E_AMBIGUOUS.
    """
    registered = [record.job for record in list_jobs(connection)]
    known = [*BUILT_IN_JOBS, *(job for job in registered if visible(caller, job.stack))]
    matches = [job for job in known if job.full_name == text]
    matches = matches or [job for job in known if job.name == text and not job.built_in]
    if len(matches) > 1:
        names = ", ".join(job.full_name for job in matches)
        raise InputError(
            "E_AMBIGUOUS", f"{text!r} may be any of {names}", hint="give one of these names"
        )
    if not matches:
        names_known = {job.full_name for job in known} | {
            job.name for job in known if not job.built_in
        }
        raise InputError(
            "E_NO_JOB",
            unknown("job", text, names_known),
            hint="greenroom job list shows the jobs; greenroom job register adds a blueprint's",
        )
    return matches[0]


def admit_run(
    connection: Connection,
    job: Job,
    given: Mapping[str, str],
    caller: Caller,
    now: datetime,
    zone: str = "UTC",
) -> Admitted:
    """Check a run of ``job``. Raises InputError or RefusedError."""
    values = resolve_options(job, given, now, zone)
    chosen = _environments(connection, job, values, caller)
    main = chosen.get(job.environment_option or "")
    stack = job.stack
    if job.built_in:
        stack = EVERY_STACK if main is None else main.name.stack
        _require_built_in(connection, job, values, main, caller)
    else:
        production = any(record.stack.production for record in chosen.values())
        require(caller, Action.RUN_JOB, stack, production=production)
    if job.run is not None:
        require_who(job.run, caller, job.stack, f"running {job.full_name}")
    _check_machines(job, values, chosen)
    if main is not None and job.target is not None:
        _target_machines(job, main)
    return Admitted(
        values={**values, **{name: str(record.name) for name, record in chosen.items()}},
        environment=None if main is None else str(main.name),
        stack=stack,
    )


def _require_built_in(
    connection: Connection,
    job: Job,
    values: Mapping[str, str],
    main: EnvironmentRecord | None,
    caller: Caller,
) -> None:
    """What it wraps asks for its right again when it begins; but whoever has it not shall not
    write into the history of the stack either."""
    # They are called as what they do.
    action = Action(job.name)
    if main is not None:
        require(caller, action, main.name.stack, production=main.stack.production)
    elif "blueprint" in values:
        require_blueprint(connection, caller, action, Path(values["blueprint"]))


def fits(who: Who, caller: Caller, stack: str) -> bool:
    """Whether the caller is among ``who`` of the stack."""
    role = caller.role_on(stack)
    has = role is not None and role.rank >= who.role.rank
    return has and (not who.callers or caller.name in (*who.callers, SCHEDULER.name))


def require_who(who: Who, caller: Caller, stack: str, what: str) -> None:
    """Refuse a caller who is not among ``who``; raises RefusedError E_FORBIDDEN."""
    if fits(who, caller, stack):
        return
    role = caller.role_on(stack)
    if role is None or role.rank < who.role.rank:
        has = "has no role there" if role is None else f"is only {role}"
        raise RefusedError(
            "E_FORBIDDEN",
            f"{what} takes the role {who.role} on stack {stack}; {caller.name} {has}",
            hint=f"somebody who is {who.role} of stack {stack} can do it",
            stack="" if stack == EVERY_STACK else stack,
        )
    raise RefusedError(
        "E_FORBIDDEN",
        f"{what} is for {', '.join(who.callers)}; {caller.name} is not among them",
        hint=f"ask {who.callers[0]}, or have the job's definition name {caller.name}",
        stack="" if stack == EVERY_STACK else stack,
    )


def targets(
    connection: Connection, job: Job, environment: str | None
) -> tuple[Stack | None, tuple[Machine, ...]]:
    """Where an execution runs, as things are now; no stack is the control plane.

    Raises InputError E_NO_ENVIRONMENT or E_JOB_NO_MACHINE, RefusedError E_NOT_READY.
    """
    if job.target is None or environment is None:
        return None, ()
    record = pick(list_environments(connection), environment)
    return record.stack, tuple(_target_machines(job, record))


def touches_production(connection: Connection, record: ExecutionRecord) -> bool:
    """Whether an environment that the execution was given, or that its operation made, is
    production. One that is gone is not."""
    given = [each for each in record.job.options if each.kind is OptionKind.ENVIRONMENT]
    names = {record.environment, *(record.options.get(each.name) for each in given)}
    known = list_environments(connection)
    return any(each.stack.production for each in known if str(each.name) in names)


def _target_machines(job: Job, record: EnvironmentRecord) -> Sequence[Machine]:
    assert job.target is not None
    if record.status not in STANDING:
        raise refused_status(record, f"job {job.name}")
    machines = machines_of_role(record.stack, job.target.role)
    if not machines:
        roles = {machine.role for machine in record.stack.machines}
        raise InputError(
            "E_JOB_NO_MACHINE",
            f"{record.name} has no machine of role {job.target.role!r}",
            hint=f"its roles are {', '.join(sorted(roles))}",
        )
    return machines


def _environments(
    connection: Connection, job: Job, values: Mapping[str, str], caller: Caller
) -> dict[str, EnvironmentRecord]:
    """The environments that the options name, by the options' names."""
    wanted = [
        each.name
        for each in job.options
        if each.kind is OptionKind.ENVIRONMENT and each.name in values
    ]
    if not wanted:
        return {}
    records = list_environments(connection)
    if not job.built_in:
        records = tuple(record for record in records if record.name.stack == job.stack)
    return {name: pick(records, values[name], caller) for name in wanted}


def _check_machines(
    job: Job, values: Mapping[str, str], chosen: Mapping[str, EnvironmentRecord]
) -> None:
    """Every machine that an option names is one of the job's environment."""
    main = chosen.get(job.environment_option or "")
    for option in job.options:
        if option.kind is OptionKind.MACHINE and option.name in values and main is not None:
            machine_named(main.stack, values[option.name])
