"""What an operation on AWS tells while it runs: the Progress port as a stream of events."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenroom.app.clock import Clock
from greenroom.errors import CancelledError, GreenroomError
from greenroom.model.events import Event, EventKind, OperationStatus


class Telling:
    """Makes events of one operation and hands each to ``sink``. Nothing keeps them: what must be
    known later, CloudFormation knows."""

    def __init__(self, sink: Callable[[Event], None], clock: Clock) -> None:
        self.operation = f"op-{secrets.token_hex(6)}"
        self._sink = sink
        self._clock = clock
        self._seq = 0
        self._lock = threading.Lock()

    def started(self, phase: str, machine: str | None = None) -> None:
        """See Progress."""
        self._tell(EventKind.PHASE_STARTED, phase=phase, machine=machine)

    def done(
        self, phase: str, seconds: float, message: str = "", machine: str | None = None
    ) -> None:
        """See Progress."""
        self._tell(
            EventKind.PHASE_DONE, phase=phase, machine=machine, message=message, seconds=seconds
        )

    def failed(self, phase: str, message: str, machine: str | None = None) -> None:
        """A phase ended badly."""
        self._tell(EventKind.PHASE_FAILED, phase=phase, machine=machine, message=message)

    def notice(self, message: str, machine: str | None = None) -> None:
        """See Progress."""
        self._tell(EventKind.NOTICE, machine=machine, message=message)

    def result(self, message: str, error: GreenroomError | None = None) -> None:
        """The last event."""
        if error is None:
            self._tell(
                EventKind.RESULT, message=message, status=OperationStatus.SUCCEEDED, exit_code=0
            )
            return
        cancelled = isinstance(error, CancelledError)
        self._tell(
            EventKind.RESULT,
            message=error.message,
            status=OperationStatus.CANCELLED if cancelled else OperationStatus.FAILED,
            code=error.code,
            hint=error.hint or None,
            exit_code=error.exit_code,
        )

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Tell what is done within as a phase."""
        self.started(name)
        began_s = self._clock.monotonic_s()
        try:
            yield
        except GreenroomError as error:
            self.failed(name, error.message)
            raise
        self.done(name, self._clock.monotonic_s() - began_s)

    def _tell(
        self,
        kind: EventKind,
        *,
        phase: str = "",
        machine: str | None = None,
        message: str = "",
        seconds: float | None = None,
        status: OperationStatus | None = None,
        code: str | None = None,
        hint: str | None = None,
        exit_code: int | None = None,
    ) -> None:
        with self._lock:
            self._seq += 1
            self._sink(
                Event(
                    seq=self._seq,
                    at=self._clock.now(),
                    operation=self.operation,
                    kind=kind,
                    phase=phase,
                    machine=machine,
                    message=message,
                    seconds=seconds,
                    status=status,
                    code=code,
                    hint=hint,
                    exit_code=exit_code,
                )
            )
