"""An operation while it runs: its phases, each told and made durable, and its one ending."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from greenroom.app.cancellation import CancelFlags
from greenroom.app.clock import Clock
from greenroom.app.progress import JournalProgress
from greenroom.errors import BugError, CancelledError, GreenroomError, HostError
from greenroom.model.events import OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import Receipt
from greenroom.model.stack import Stack
from greenroom.ports import Cancellation, Provider, Steps
from greenroom.store.database import Database
from greenroom.store.environments import EnvironmentRecord, find_environment, stacks_beside
from greenroom.store.journal import Journal
from greenroom.store.operations import (
    Ending,
    OperationRecord,
    find_operation,
    finish_operation,
    set_running,
)

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")
_FREE_SPACE = ("E_NO_SPACE", "df -h shows which disk is full: free some space")
_LOOK_AT_DISK = ("E_DISK", "dmesg tells what is wrong with the disk")
_DISK_FAULTS = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EIO: _LOOK_AT_DISK,
    errno.EROFS: _LOOK_AT_DISK,
}
"""What an operating system says of a disk: our code, and the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What every use case works through; ``settled`` hears of each operation that has ended,
    ``thrown_away`` of each machine that was ended on purpose and is to be booted anew."""

    database: Database
    journal: Journal
    provider: Provider
    clock: Clock
    flags: CancelFlags
    settled: Callable[[EnvironmentName], None]
    thrown_away: Callable[[EnvironmentName, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One run of an operation; a second run, after a crash, finds its finished steps done."""

    ports: Ports
    record: OperationRecord
    environment: EnvironmentRecord
    steps: Steps
    progress: JournalProgress
    cancel: Cancellation

    def step(self, name: str, work: Callable[[], str]) -> str:
        """``work`` as a durable step that tells nothing of itself."""
        return self.steps.run(name, work)

    def phase(self, name: str, work: Callable[[], str]) -> str:
        """``work`` as a durable step that is told as a phase and can be cancelled."""
        return self.steps.run(name, partial(self.tell, name, partial(self._cancellable, work)))

    def tell(self, name: str, work: Callable[[], _T], machine: str | None = None) -> _T:
        """Tell ``work`` as a phase. Whatever it raises comes out as a GreenroomError."""
        self.progress.started(name, machine)
        began_s = self.ports.clock.monotonic_s()
        try:
            result = work()
        except GreenroomError as error:
            self.progress.failed(name, error, machine)
            raise
        except Exception as error:
            foreign = self._foreign(name, error)
            self.progress.failed(name, foreign, machine)
            raise foreign from error
        seconds = self.ports.clock.monotonic_s() - began_s
        self.progress.done(name, seconds, machine=machine)
        return result

    def guarded(self, work: Callable[[], _T]) -> _T:
        """``work``, with whatever it raises outside of a phase made a GreenroomError as well:
        the environment must be taken down all the same, and the operation must end."""
        try:
            return work()
        except GreenroomError:
            raise
        except Exception as error:
            raise self._foreign("between its phases", error) from error

    def _foreign(self, where: str, error: Exception) -> GreenroomError:
        """What to tell of an exception that nobody foresaw; the log has the whole story. A disk
        that fails is the host's, wherever it is met."""
        _logger.error(
            "%s of %s broke in %s", self.record.kind, self.record.id, where, exc_info=error
        )
        if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
            code, hint = _DISK_FAULTS[error.errno]
            place = f": {error.filename}" if error.filename else ""
            return HostError(code, f"{where}: {error.strerror}{place}", hint=hint)
        return BugError(
            "E_BUG",
            f"{where}: {type(error).__name__}: {error}",
            hint="this is a bug in greenroom: please report it with the daemon's log",
        )

    def end(self, ending: Ending, write: Callable[[Connection], None]) -> None:
        """Commit the ending, its event and ``write`` at once."""
        ended_at = self.ports.clock.now()

        def commit(connection: Connection) -> None:
            write(connection)
            finish_operation(connection, self.record.id, ending, ended_at)

        make_result = partial(self.progress.result, ending)
        self.ports.journal.settle(self.record.id, make_result, commit)
        self.ports.flags.forget(self.record.id)
        self.ports.settled(self.record.environment)

    def others(self) -> tuple[Stack, ...]:
        """The Stacks of all other environments whose machines run."""
        with self.ports.database.read() as connection:
            return stacks_beside(connection, self.environment.name)

    def _cancellable(self, work: Callable[[], _T]) -> _T:
        self.cancel.check()
        return work()


def begin(ports: Ports, operation_id: str, steps: Steps) -> Operation | None:
    """Take up the operation; None when there is nothing left to do for it."""
    taken = ports.journal.write_deferred(partial(_take_up, operation_id))
    if taken is None:
        return None
    record, environment = taken
    if environment is None:
        raise BugError("E_BUG", f"{operation_id} has no environment {record.environment}")
    flag = ports.flags.of(operation_id, what_is_done(record))
    if record.cancel_requested:
        flag.ask()
    progress = JournalProgress(ports.journal, ports.clock, operation_id)
    if record.status is OperationStatus.RUNNING:
        ports.journal.resume(operation_id)
        progress.notice("resumed after a restart of the daemon")
    return Operation(
        ports=ports,
        record=record,
        environment=environment,
        steps=steps,
        progress=progress,
        cancel=flag,
    )


def _take_up(
    operation_id: str, connection: Connection
) -> tuple[OperationRecord, EnvironmentRecord | None] | None:
    record = find_operation(connection, operation_id)
    if record is None or record.status.final:
        return None
    environment = find_environment(connection, record.environment)
    set_running(connection, operation_id)
    return record, environment


def what_is_done(record: OperationRecord) -> str:
    """``create of photos/feature-x``, for messages."""
    return f"{record.kind} of {record.environment}"


def failure(error: GreenroomError, addition: str = "", receipt: Receipt | None = None) -> Ending:
    """The ending that an error makes: cancelled or failed."""
    cancelled = isinstance(error, CancelledError)
    return Ending(
        status=OperationStatus.CANCELLED if cancelled else OperationStatus.FAILED,
        exit_code=error.exit_code,
        code=error.code,
        message=error.message + addition,
        hint=error.hint or None,
        receipt=receipt,
    )
