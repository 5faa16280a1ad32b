"""Taking an environment off the host: what destroy does, and create when it fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from greenroom.app.operation import Operation, failure
from greenroom.app.timings import timings_of_failure
from greenroom.errors import CancelledError, GreenroomError
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.receipt import Receipt
from greenroom.model.views import EnvironmentStatus
from greenroom.store import codec
from greenroom.store.environments import (
    EnvironmentRecord,
    delete_environment,
    find_findings,
    set_status,
)
from greenroom.store.intents import undo_intents
from greenroom.store.operations import OperationRecord, last_operation
from greenroom.store.timings import record_timings

_LISTED_MAX = 5


def remove(operation: Operation, phase: str) -> Receipt:
    """Remove all that bears the environment's name, as a durable step that nobody cancels."""

    def destroy() -> str:
        return codec.dump_receipt(operation.ports.provider.destroy(operation.environment.name))

    return codec.load_receipt(operation.step(phase, partial(operation.tell, phase, destroy)))


def compensate(operation: Operation, error: GreenroomError) -> None:
    """Take back what a failed or cancelled create has made, and end it with its error."""
    name, now = operation.environment.name, operation.ports.clock.now()
    timed = timings_of_failure(operation, error, now)

    def also(write: Callable[[Connection], None], connection: Connection) -> None:
        write(connection)
        record_timings(connection, timed)

    try:
        receipt = remove(operation, "compensate")
    except GreenroomError as second:
        addition = f"; taking it back failed too: {second.message}"
        kept = partial(also, partial(_keep_failed, name))
        operation.end(failure(error, addition), kept)
        return
    addition = f"; {left_over_text(receipt)}" if receipt.left_over else ""
    if isinstance(error, CancelledError) and not receipt.left_over:
        addition = "; everything was taken back"
    forgotten = partial(also, forget_removed(operation, receipt))
    operation.end(failure(error, addition, receipt), forgotten)


def forget_removed(operation: Operation, receipt: Receipt) -> Callable[[Connection], None]:
    """What to write after a removal: the environment is gone, or failed if something is left."""
    name, now = operation.environment.name, operation.ports.clock.now()

    def write(connection: Connection) -> None:
        undo_intents(connection, name, receipt.left_over, now)
        if receipt.left_over:
            _keep_failed(name, connection)
        else:
            delete_environment(connection, name)

    return write


def half_removed(connection: Connection, environment: EnvironmentRecord) -> OperationRecord | None:
    """The destroy or the create whose removal has left parts of it; None of one that is whole."""
    if environment.status is not EnvironmentStatus.FAILED:
        return None
    last = last_operation(connection, environment.name)
    if last is None or last.kind == "destroy":
        return last
    return last if find_findings(connection, environment.name).proof is None else None


def left_over_text(receipt: Receipt) -> str:
    """``the host still holds 2 things of photos/feature-x: link veth3, mount /run/…``."""
    listed = [f"{item.kind} {item.name}" for item in receipt.left_over[:_LISTED_MAX]]
    more = len(receipt.left_over) - len(listed)
    names = ", ".join(listed) + (f" and {more} more" if more else "")
    things = "thing" if len(receipt.left_over) == 1 else "things"
    return (
        f"the host still holds {len(receipt.left_over)} {things} of {receipt.environment}: {names}"
    )


def _keep_failed(name: EnvironmentName, connection: Connection) -> None:
    set_status(connection, name, EnvironmentStatus.FAILED, Verdict.NOT_VERIFIED)
