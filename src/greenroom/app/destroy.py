"""Destroy an environment, and say what the host still holds of it."""

from __future__ import annotations

from functools import partial

from greenroom.app.operation import Ports, begin, failure
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
    with ports.database.write() as connection:
        set_status(connection, name, EnvironmentStatus.DESTROYING)
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
