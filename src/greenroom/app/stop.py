"""Stop an environment: its machines end and their memory is free, all that they hold is kept.

``recover.run_start`` boots them again. A stop that failed half-way leaves the environment failed:
another stop finishes it, a recovery brings it back.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from greenroom.app.operation import Operation, Ports, begin, failure
from greenroom.errors import GreenroomError
from greenroom.model.events import OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.receipt import Resource
from greenroom.model.views import EnvironmentStatus
from greenroom.ports import Steps
from greenroom.store.environments import set_status
from greenroom.store.intents import undo_intents
from greenroom.store.lifetimes import mark_stopped
from greenroom.store.operations import Ending


def run_stop(ports: Ports, operation_id: str, steps: Steps) -> None:
    """End the environment's machines and keep what they hold."""
    operation = begin(ports, operation_id, steps)
    if operation is None:
        return
    name = operation.environment.name
    stopping = (EnvironmentStatus.STOPPING, Verdict.NOT_VERIFIED)
    ports.journal.write(lambda connection: set_status(connection, name, *stopping))
    try:
        held = operation.guarded(lambda: _halt(operation))
    except GreenroomError as error:
        failed = (EnvironmentStatus.FAILED, Verdict.NOT_VERIFIED)
        hint = f"greenroom stop {name} tries again, greenroom recover {name} brings it back"
        ending = replace(failure(error), hint=hint)
        operation.end(ending, lambda connection: set_status(connection, name, *failed))
        return
    message = f"{name} is stopped, and keeps what its machines hold"
    ending = Ending(status=OperationStatus.SUCCEEDED, exit_code=0, message=message)
    operation.end(ending, partial(_write_down, operation, held))


def _halt(operation: Operation) -> tuple[Resource, ...]:
    """What the host still holds of it."""
    provider, stack = operation.ports.provider, operation.environment.stack

    def halt() -> str:
        provider.halt(stack)
        return ""

    operation.step("stop", partial(operation.tell, "stop", halt))
    return provider.observe(stack.environment)


def _write_down(operation: Operation, held: tuple[Resource, ...], connection: Connection) -> None:
    name, now = operation.environment.name, operation.ports.clock.now()
    mark_stopped(connection, name, now, operation.record.asked_by)
    # What a start makes anew is an intent of that start.
    undo_intents(connection, name, held, now)
