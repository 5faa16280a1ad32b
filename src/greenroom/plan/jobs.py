"""From a blueprint to its jobs, resolved and frozen."""

from __future__ import annotations

from greenroom.blueprint.job_references import option_of
from greenroom.blueprint.jobs import JobMachinesSpec, JobSpec, RetrySpec, ScheduleSpec
from greenroom.blueprint.schema import Blueprint
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import (
    Approval,
    Concurrency,
    Job,
    JobOption,
    MachineTarget,
    Retries,
    Schedule,
    Webhook,
    Who,
)


def plan_jobs(blueprint: Blueprint) -> tuple[Job, ...]:
    """The jobs of the blueprint and of the files beside it, by name."""
    return tuple(_job(blueprint, name, spec) for name, spec in sorted(blueprint.jobs.items()))


def _job(blueprint: Blueprint, name: str, spec: JobSpec) -> Job:
    options = tuple(option_of(each, option) for each, option in spec.options.items())
    approval = spec.approval
    return Job(
        stack=blueprint.stack,
        name=name,
        description=spec.description,
        argv=_argv(name, spec),
        folder=str(blueprint.path.parent),
        timeout_s=spec.timeout_s,
        options=options,
        target=None if spec.machines is None else _target(spec.machines, options),
        user=spec.user,
        retries=_retries(spec.retry),
        concurrency=_concurrency(name, spec),
        schedules=tuple(_schedule(each) for each in spec.schedule),
        run=None if spec.run is None else Who(role=spec.run.role, callers=spec.run.callers),
        approval=None
        if approval is None
        else Approval(
            who=Who(role=approval.role, callers=approval.callers), expires_s=approval.expires_s
        ),
        notify=tuple(Webhook(url=each.url, on=each.on) for each in spec.notify),
    )


def _argv(name: str, spec: JobSpec) -> tuple[str, ...]:
    if spec.script is not None:
        return ("/bin/sh", "-eu", "-c", spec.script, name)
    assert spec.command is not None
    return spec.command


def _target(machines: JobMachinesSpec, options: tuple[JobOption, ...]) -> MachineTarget:
    environments = [each.name for each in options if each.kind is OptionKind.ENVIRONMENT]
    return MachineTarget(role=machines.role, environment=machines.environment or environments[0])


def _retries(retry: RetrySpec | None) -> Retries:
    if retry is None:
        return Retries()
    return Retries(times=retry.times, delay_s=retry.delay_s, interrupted=retry.interrupted)


def _concurrency(name: str, spec: JobSpec) -> Concurrency | None:
    limit = spec.concurrency
    if limit is None:
        return None
    return Concurrency(key=limit.key or name, limit=limit.limit, per=limit.per)


def _schedule(spec: ScheduleSpec) -> Schedule:
    return Schedule(
        cron=spec.cron, zone=spec.zone, options=tuple(spec.options.items()), missed=spec.missed
    )
