"""What is done from the page stands in the audit log, as what is done by the API does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from greenroom.app.audit import entry_of, reason_of
from greenroom.errors import GreenroomError
from greenroom.model.access import Caller
from greenroom.model.audit import Outcome, Parameters
from greenroom.web.page.site_parts import Parts


@dataclass(slots=True)
class Told:
    """What becomes known while it is done: the operation or execution that both entries of what
    takes time belong to, and what it concerns."""

    subject: str
    reference: str | None = None


@contextmanager
def audited(
    parts: Parts,
    caller: Caller,
    action: str,
    subject: str,
    *,
    outcome: Outcome | None,
    parameters: Parameters = (),
) -> Iterator[Told]:
    """Record how the block ended: ``outcome``, or refused with the error that it raised. None for
    an outcome that is recorded where it is accepted, as operations are.

    ``subject`` is an environment's full name, a job's, or a token's; ``parameters`` hold no secret.
    """
    told = Told(subject)

    def record(how: Outcome, error: GreenroomError | None = None) -> None:
        stack, separator, _ = told.subject.partition("/")
        entry = entry_of(
            caller,
            action,
            how,
            stack=(stack if separator else "") or ("" if error is None else reason_of(error).stack),
            subject=told.subject,
            parameters=parameters,
            error=error,
            reference=told.reference,
        )
        parts.access.audit.record(entry)

    try:
        yield told
    except GreenroomError as error:
        record(Outcome.REFUSED, error)
        raise
    if outcome is not None:
        record(outcome)
