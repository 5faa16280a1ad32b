"""One execution of a command: its programs, their output into the log, how they ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from greenroom.app.clock import Clock
from greenroom.app.jobs.log import Lines, LogWriter
from greenroom.app.jobs.masking import Masker
from greenroom.app.jobs.stop import Stop, Why
from greenroom.errors import GreenroomError, OperationError
from greenroom.model.jobs import Command, ExecutionStatus, Job
from greenroom.model.stack import Machine, Stack
from greenroom.plan.job_options import secrets_of
from greenroom.ports import Processes, Program
from greenroom.store.executions import ExecutionEnd, ExecutionRecord

_READ_S = 0.2
"""How long a line is held back that may yet turn out to hold a secret."""
_PACE_S = 0.01
"""At least so long between two looks at a program's output: one that prints line by line, ten
thousand a second, is read a hundred times and not ten thousand times."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What an execution is to do: ``values`` are its options with their secrets. ``stack`` and
    ``machines`` are where it runs; no machines means the control plane."""

    record: ExecutionRecord
    values: Mapping[str, str] = field(repr=False)
    stack: Stack | None = None
    machines: tuple[Machine, ...] = ()

    @property
    def job(self) -> Job:
        """The definition, as it was when the execution was asked for."""
        return self.record.job


class Run:
    """The programs of one execution."""

    def __init__(
        self,
        assignment: Assignment,
        processes: Processes,
        writer: LogWriter,
        stop: Stop,
        clock: Clock,
    ) -> None:
        self._assignment = assignment
        self._processes = processes
        self._writer = writer
        self._stop = stop
        self._clock = clock
        self._end_s = clock.monotonic_s() + assignment.job.timeout_s
        self._codes: dict[str, int] = {}
        self._errors: list[GreenroomError] = []

    def run(self) -> ExecutionEnd:
        """Run it to its end. Takes as long as the job does; no error of the job is raised."""
        machines = self._assignment.machines
        if not machines:
            self._one(None)
        else:
            # A thread for each: whoever starts a program must live as long as it does.
            threads = [self._begin(each) for each in machines]
            for thread in threads:
                if thread is not None:
                    thread.join()
        return self._judged()

    def _begin(self, machine: Machine) -> threading.Thread | None:
        thread = threading.Thread(target=self._one, args=(machine,))
        try:
            thread.start()
        except RuntimeError as error:
            # The host has no thread left; those that began are waited for all the same.
            self._keep(_broken(self._assignment.job, error, machine.name), machine.name)
            return None
        return thread

    def _one(self, machine: Machine | None) -> None:
        """Its faults are kept, whatever they are: a machine's thread has nobody to raise them to,
        and a job that did not run must not count as one that did."""
        name = None if machine is None else machine.name
        if self._stop.why is not None:
            return
        try:
            self._go(machine, name)
        except GreenroomError as error:
            self._keep(error, name)
        except Exception as error:
            _logger.exception("execution %s", self._assignment.record.id)
            self._keep(_broken(self._assignment.job, error, name), name)

    def _go(self, machine: Machine | None, name: str | None) -> None:
        program = self._start(machine)
        try:
            self._stop.attach(program.end)
            self._copy(program, name)
            self._codes[name or ""] = program.exit_code()
        finally:
            program.close()

    def _keep(self, error: GreenroomError, machine: str | None) -> None:
        self._errors.append(error)
        self._writer.write([error.message.encode()], machine)

    def _start(self, machine: Machine | None) -> Program:
        record, stack = self._assignment.record, self._assignment.stack
        environment = execution_environment(record, self._assignment.values, machine)
        command = Command(
            argv=record.job.argv,
            environment=environment,
            folder=record.job.folder,
            user=record.job.user,
        )
        if machine is None or stack is None:
            return self._processes.start(record.id, command)
        return self._processes.start_inside(record.id, stack, machine, command)

    def _copy(self, program: Program, machine: str | None) -> None:
        """The program's output into the log, masked, until it has ended."""
        masker = Masker(secrets_of(self._assignment.job, self._assignment.values))
        lines = Lines()
        while (piece := program.read(_READ_S)) is not None:
            if piece:
                self._writer.write(lines.feed(masker.feed(piece)), machine)
                self._stop.wait(_PACE_S)
            elif masker.holds_line:
                self._writer.write(lines.feed(masker.flush()), machine)
            if self._stop.why is None and self._clock.monotonic_s() >= self._end_s:
                self._stop.ask(Why.TIMEOUT)
        self._writer.write([*lines.feed(masker.flush()), *lines.flush()], machine)

    def _judged(self) -> ExecutionEnd:
        job = self._assignment.job
        if self._stop.why is not None:
            return stopped(job, self._stop)
        if self._errors:
            first = self._errors[0]
            return ExecutionEnd(
                status=ExecutionStatus.FAILED,
                code=first.code,
                message=first.message,
                hint=first.hint,
            )
        failed = {name: code for name, code in sorted(self._codes.items()) if code != 0}
        if failed:
            return _failed(job, failed, len(self._codes))
        names = {machine.name for machine in self._assignment.machines} or {""}
        if missing := sorted(names - self._codes.keys()):
            return _unknown(job, missing)
        return ExecutionEnd(status=ExecutionStatus.SUCCEEDED, exit_code=0)


def stopped(job: Job, stop: Stop) -> ExecutionEnd:
    """The end of an execution that was stopped."""
    match stop.why:
        case Why.ABORT:
            return ExecutionEnd(
                status=ExecutionStatus.ABORTED,
                code="E_JOB_ABORTED",
                message=f"{job.full_name} was aborted by {stop.by}",
            )
        case Why.TIMEOUT:
            return ExecutionEnd(
                status=ExecutionStatus.FAILED,
                code="E_JOB_TIMEOUT",
                message=f"{job.full_name} did not end within {job.timeout_s:g} s",
                hint="its log shows how far it came; timeout_s of its definition is the limit",
            )
        case _:
            return interrupted(job)


def interrupted(job: Job) -> ExecutionEnd:
    """The end of an execution whose daemon ended before it."""
    return ExecutionEnd(
        status=ExecutionStatus.INTERRUPTED,
        code="E_JOB_INTERRUPTED",
        message=f"{job.full_name} was interrupted: the daemon ended while it ran",
        hint="greenroom job retry runs it again with the same options",
    )


def lost(job: Job) -> ExecutionEnd:
    """The end of an execution whose own could not be written into the ledger."""
    return ExecutionEnd(
        status=ExecutionStatus.INTERRUPTED,
        code="E_JOB_INTERRUPTED",
        message=f"{job.full_name} does not run any more; how it ended could not be written down",
        hint="its log and the daemon's say more; greenroom job retry runs it again",
    )


def _broken(job: Job, error: Exception, machine: str | None) -> OperationError:
    """What is told of a fault that nobody foresaw."""
    where = "" if machine is None else f" on {machine}"
    cause = error.strerror if isinstance(error, OSError) else None
    return OperationError(
        "E_JOB_START",
        f"{job.full_name} did not run to its end{where}: {cause or type(error).__name__}",
        hint="the daemon's log says more; greenroom job retry runs it again",
    )


def _unknown(job: Job, machines: Sequence[str]) -> ExecutionEnd:
    """The end of an execution of which nobody knows how its program ended."""
    where = ", ".join(name for name in machines if name) or "the control plane"
    return ExecutionEnd(
        status=ExecutionStatus.FAILED,
        code="E_JOB_FAILED",
        message=f"{job.full_name} ended on {where} without an exit code",
        hint="the daemon's log says more",
    )


def _failed(job: Job, codes: Mapping[str, int], count: int) -> ExecutionEnd:
    code = next(iter(codes.values()))
    where = [f"{name} ({number})" for name, number in codes.items() if name]
    message = f"{job.full_name} ended with {code}"
    if where:
        message = f"{job.full_name} failed on {len(where)} of {count} machines: {', '.join(where)}"
    return ExecutionEnd(
        status=ExecutionStatus.FAILED,
        exit_code=code,
        code="E_JOB_FAILED",
        message=message,
        hint="its log tells why",
    )


def execution_environment(
    record: ExecutionRecord, values: Mapping[str, str], machine: Machine | None
) -> dict[str, str]:
    """What a job's process has as its environment, and nothing else."""
    facts = {
        "LANG": "C.UTF-8",
        "GREENROOM_JOB": record.job.full_name,
        "GREENROOM_EXECUTION": record.id,
        "GREENROOM_CALLER": record.asked_by,
        "GREENROOM_STACK": record.job.stack,
        "GREENROOM_ENVIRONMENT": record.environment or "",
    }
    # A machine's own PATH is the one that its image wants.
    place = {"PATH": _PATH} if machine is None else {"GREENROOM_MACHINE": machine.name}
    options = {each.variable: values.get(each.name, "") for each in record.job.options}
    return {**facts, **place, **options}


def machines_of_role(stack: Stack, role: str) -> Sequence[Machine]:
    """The environment's machines of that role."""
    return [machine for machine in stack.machines if machine.role == role]
