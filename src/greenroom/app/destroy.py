"""Destroy an environment, and say what the host still holds of it."""

from __future__ import annotations

from functools import partial

from greenroom.app.operation import Operation, Ports, begin, failure
from greenroom.app.removal import forget_removed, left_over_text, remove
from greenroom.errors import GreenroomError, OperationError
from greenroom.model.events import OperationStatus
from greenroom.model.proof import Verdict
from greenroom.model.receipt import Receipt
from greenroom.model.views import EnvironmentStatus
from greenroom.ports import Steps
from greenroom.store.environments import set_status
from greenroom.store.operations import Ending


def run_destroy(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Remove the environment and keep the receipt."""
    operation = begin(ports, operation_id, steps)
    if operation is None:
        return
    name = operation.environment.name
    ports.journal.write(
        lambda connection: set_status(connection, name, EnvironmentStatus.DESTROYING)
    )
    if (notice := _loss(operation)) is not None:
        operation.progress.notice(notice)
    try:
        receipt = remove(operation, "destroy")
    except GreenroomError as error:
        operation.end(
            failure(error),
            partial(
                set_status,
                name=name,
                status=EnvironmentStatus.FAILED,
                verdict=Verdict.NOT_VERIFIED,
            ),
        )
        return
    operation.end(_ending(receipt), forget_removed(operation, receipt))


def _loss(operation: Operation) -> str | None:
    """Who goes on without the shared machines: nothing keeps them, for nobody needs them to run."""
    stack = operation.environment.stack
    served = [
        other for other in operation.others() if other.environment.stack == stack.environment.stack
    ]
    if not stack.shared or not served:
        return None
    names = ", ".join(machine.name for machine in stack.machines)
    few = "1 environment goes" if len(served) == 1 else f"{len(served)} environments go"
    return f"{few} on without {names}: what is sent there from now on is lost"


def _ending(receipt: Receipt) -> Ending:
    if receipt.left_over:
        return failure(
            OperationError(
                "E_LEFT_OVER",
                left_over_text(receipt),
                hint=f"greenroom destroy {receipt.environment} tries again",
            ),
            receipt=receipt,
        )
    return Ending(
        status=OperationStatus.SUCCEEDED,
        exit_code=0,
        message=f"{receipt.environment} is gone: {len(receipt.removed)} removed, 0 left over",
        receipt=receipt,
    )
