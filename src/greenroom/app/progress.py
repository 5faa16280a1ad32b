"""What an operation tells while it runs: providers speak, the journal keeps."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.app.clock import Clock
from greenroom.errors import GreenroomError
from greenroom.model.events import Event, EventKind
from greenroom.store.journal import Journal
from greenroom.store.operations import Ending


@dataclass(frozen=True, slots=True)
class JournalProgress:
    """The Progress port: each call becomes an event of the operation."""

    journal: Journal
    clock: Clock
    operation: str

    def started(self, phase: str, machine: str | None = None) -> None:
        """A phase begins."""
        self._append(EventKind.PHASE_STARTED, phase=phase, machine=machine)

    def done(
        self, phase: str, seconds: float, message: str = "", machine: str | None = None
    ) -> None:
        """A phase ended well."""
        self._append(
            EventKind.PHASE_DONE, phase=phase, machine=machine, message=message, seconds=seconds
        )

    def notice(self, message: str, machine: str | None = None) -> None:
        """Something that a person should know."""
        self._append(EventKind.NOTICE, machine=machine, message=message)

    def failed(self, phase: str, error: GreenroomError, machine: str | None = None) -> None:
        """A phase ended with an error."""
        self._append(
            EventKind.PHASE_FAILED,
            phase=phase,
            machine=machine,
            message=error.message,
            code=error.code,
            hint=error.hint or None,
        )

    def result(self, ending: Ending, seq: int) -> Event:
        """The operation's last event; the journal commits it together with the ending."""
        return Event(
            seq=seq,
            at=self.clock.now(),
            operation=self.operation,
            kind=EventKind.RESULT,
            message=ending.message,
            status=ending.status,
            code=ending.code,
            hint=ending.hint,
            exit_code=ending.exit_code,
        )

    def _append(
        self,
        kind: EventKind,
        *,
        phase: str = "",
        machine: str | None = None,
        message: str = "",
        seconds: float | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        at = self.clock.now()
        self.journal.append(
            self.operation,
            lambda seq: Event(
                seq=seq,
                at=at,
                operation=self.operation,
                kind=kind,
                phase=phase,
                machine=machine,
                message=message,
                seconds=seconds,
                code=code,
                hint=hint,
            ),
        )
