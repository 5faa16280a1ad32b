"""What the inventory says of an environment's machines (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from greenroom.model.inventory import Health, MachineRecord
from greenroom.model.offers import services_of
from greenroom.model.stack import Endpoint, Machine, Stack
from greenroom.model.views import Artifact, EnvironmentStatus, MachineReport

_BOOTS = (
    EnvironmentStatus.CREATING,
    EnvironmentStatus.RECOVERING,
    EnvironmentStatus.STARTING,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of an environment: its Stack, where it stands, and of its machines what they
    reported at boot, which do not run, and what is wrong with those that do (by name; one that
    nothing is known of is missing). ``replacing``: an operation throws machines away and boots
    them anew."""

    stack: Stack
    status: EnvironmentStatus
    reports: tuple[MachineReport, ...]
    lost: Collection[str]
    problems: Mapping[str, tuple[str, ...]]
    replacing: bool = False

    @property
    def boots(self) -> bool:
        """Whether what does not run is about to."""
        return self.replacing or self.status in _BOOTS


def records_of(
    seen: Seen, known: Mapping[str, MachineRecord], now: datetime
) -> tuple[MachineRecord, ...]:
    """The machines' records; ``known`` are the former ones by machine, which say since when."""
    artifacts = {report.machine: report.artifact for report in seen.reports}
    return tuple(
        _record(seen, machine, artifacts.get(machine.name), known.get(machine.name), now)
        for machine in seen.stack.machines
    )


def _record(
    seen: Seen,
    machine: Machine,
    artifact: Artifact | None,
    known: MachineRecord | None,
    now: datetime,
) -> MachineRecord:
    stack = seen.stack
    health, failing = _health(seen, machine.name, known)
    record = MachineRecord(
        environment=str(stack.environment),
        name=machine.name,
        stack=stack.environment.stack,
        slug=stack.environment.slug,
        branch="" if stack.shared else stack.branch,
        production=stack.production,
        type=machine.type,
        role=machine.role,
        instance_id=machine.instance_id,
        instance_type=machine.instance_type,
        address=str(machine.address),
        private_dns=machine.private_dns,
        public_dns=_public_dns(machine.endpoint),
        services=services_of(machine),
        groups=machine.groups,
        tags=machine.tags,
        image=machine.image,
        image_digest=stack.image_of(machine).digest,
        artifact_key=None if artifact is None else artifact.key,
        artifact_sha256=None if artifact is None else artifact.sha256,
        health=health,
        failing=failing,
        since=now,
        health_since=now,
    )
    return record if known is None else _with_times(record, known)


def _with_times(record: MachineRecord, known: MachineRecord) -> MachineRecord:
    """The record with the times of the one before it, as far as they still hold: a life begins
    when a machine starts that did not, or is another one."""
    starts = record.health is Health.STARTING and known.health is not Health.STARTING
    ran_not = known.health is Health.STOPPED and record.health is not Health.STOPPED
    begins = starts or ran_not or record.instance_id != known.instance_id
    return replace(
        record,
        since=record.since if begins else known.since,
        health_since=known.health_since if record.health is known.health else record.health_since,
    )


def _public_dns(endpoint: Endpoint | None) -> str | None:
    return None if endpoint is None else endpoint.local_host


def _health(seen: Seen, machine: str, known: MachineRecord | None) -> tuple[Health, str]:
    if seen.status is EnvironmentStatus.CREATING:
        return Health.STARTING, ""
    if seen.status is EnvironmentStatus.DESTROYING:
        return Health.STOPPED, ""
    if machine in seen.lost:
        return (Health.STARTING if seen.boots else Health.STOPPED), ""
    problems = seen.problems.get(machine)
    if problems is None and seen.boots and known and not known.is_up:
        # It runs already, and has not said yet that it is up.
        return Health.STARTING, ""
    if problems is None and known is not None and known.is_up:
        # Nothing was heard since this daemon began: what was true is the best guess.
        return known.health, known.failing
    if problems:
        return Health.UNHEALTHY, "; ".join(problems)
    return Health.HEALTHY, ""
