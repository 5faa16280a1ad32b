"""A stage for jobs: the control plane's stage, programs that a test plays, a clock that it sets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.component.app_stage import TIMEOUT_S, Stage, request

from greenroom.app.jobs.scheduler import Scheduler
from greenroom.app.jobs.service import Jobs
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import ExecutionView, Job, JobOption, Webhook
from greenroom.providers.memory.processes import MemoryProcesses

START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def caller(name: str, role: Role = Role.DEVELOPER, stack: str = "photos") -> Caller:
    return Caller(name=name, grants=(Grant(stack=stack, role=role),))


ROOT = caller("root", Role.OPERATOR, EVERY_STACK)
ANNA = caller("anna")
OLGA = caller("olga", Role.OPERATOR)
VERA = caller("vera", Role.VIEWER)
STRANGER = caller("stranger", Role.OPERATOR, "wordpress")


def job(name: str = "count", **values: Any) -> Job:
    """A job of the control plane."""
    fields = {
        "stack": "photos",
        "description": "Counts",
        "argv": ("/bin/true",),
        "folder": "/srv/photos",
        "timeout_s": 60.0,
    }
    return Job(name=name, **(fields | values))


def option(name: str, kind: OptionKind = OptionKind.STRING, **values: Any) -> JobOption:
    return JobOption(name=name, kind=kind, **values)


ENVIRONMENT = option("environment", OptionKind.ENVIRONMENT, required=True)
TOKEN = option("token", OptionKind.SECRET, required=True)


@dataclass
class SteppedClock:
    """Stands still until it is stepped; ``jump`` is what somebody does to the host's clock."""

    at: datetime = START
    passed_s: float = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.passed_s

    def step(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.passed_s += seconds

    def jump(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class JobStage:
    """What outlives a crash, and a daemon's jobs on it."""

    folder: Path
    definitions: tuple[Job, ...] = ()
    clock: SteppedClock = field(default_factory=SteppedClock)
    told: list[tuple[Webhook, ExecutionView]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stage = Stage(self.folder)
        self.rise()
        self.register(*self.definitions)

    def rise(self) -> Jobs:
        """A new daemon's jobs, on what the last one left in the ledger."""
        self.processes = MemoryProcesses()
        self.jobs = Jobs(
            database=self.stage.database,
            control=self.stage.control,
            processes=self.processes,
            log_folder=self.folder / "jobs",
            read_jobs=lambda _: ("photos", self.definitions),
            notify=lambda webhook, view: self.told.append((webhook, view)),
            clock=self.clock,
        )
        self.scheduler = Scheduler(self.jobs, self.stage.database, self.clock)
        self.jobs.recover()
        return self.jobs

    def register(self, *definitions: Job) -> None:
        self.definitions = tuple(sorted(definitions, key=lambda each: each.name))
        self.jobs.definitions.register(Path("/srv/photos/greenroom.yaml"), ROOT)

    def create(self, branch: str = "feature_x") -> None:
        self.stage.run(request(branch))

    def run(self, name: str = "count", by: Caller = ANNA, **options: str) -> ExecutionView:
        return self.jobs.executions.run(name, options, by)

    def ended(self, execution: ExecutionView | str) -> ExecutionView:
        """Wait for the execution's end, and until all of this daemon know of it: what the ledger
        tells already, another thread is about to say."""
        name = execution if isinstance(execution, str) else execution.id
        unfinished = self.jobs.endings.is_unfinished
        return self.until(name, lambda view: view.status.final and not unfinished(name))

    def until(self, execution: str, holds: Callable[[ExecutionView], bool]) -> ExecutionView:
        end = time.monotonic() + TIMEOUT_S
        while not holds(view := self.jobs.history.one(execution, ROOT)):
            assert time.monotonic() < end, view
            time.sleep(0.002)
        return view

    def queued(self, execution: str) -> None:
        """Wait until its turn is all that it waits for."""
        end = time.monotonic() + TIMEOUT_S
        while not self.jobs._queue.holds(execution):
            assert time.monotonic() < end, execution
            time.sleep(0.002)

    def tick(self) -> None:
        self.scheduler.tick()
        self.jobs.tick()

    def lines(self, execution: ExecutionView | str) -> list[dict[str, Any]]:
        name = execution if isinstance(execution, str) else execution.id
        return [json.loads(line) for line in self.jobs.book.read(name, 0).splitlines()]

    def texts(self, execution: ExecutionView | str) -> list[str]:
        return [line["text"] for line in self.lines(execution)]

    def crash(self) -> None:
        """The daemon is gone in the middle of all it did: nobody writes an end."""
        abandoned = self.jobs
        abandoned.endings.end = lambda *_: None  # type: ignore[method-assign, assignment]
        abandoned._queue.close()

    def close(self) -> None:
        self.jobs.close()
        self.stage.close()


def without(view: ExecutionView, *names: str) -> ExecutionView:
    """The view with what differs in each run taken out."""
    return replace(view, **dict.fromkeys(names))  # type: ignore[arg-type]
