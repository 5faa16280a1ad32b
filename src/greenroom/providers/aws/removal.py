"""Deleting a stack: its protection, what is kept of it, and what CloudFormation says of it."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.errors import InputError
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.records import empty_zones
from greenroom.providers.aws.session import Account


def release_stack(account: Account, stack_id: str) -> None:
    """Switch the stack's termination protection off."""
    account.call(
        "cloudformation",
        "UpdateTerminationProtection",
        about=stack_id,
        StackName=stack_id,
        EnableTerminationProtection=False,
    )


def delete_stack(account: Account, stack_id: str, retain: Sequence[str] = ()) -> None:
    """Begin to delete the stack but for the resources ``retain`` (logical ids).

    What machines wrote into its own zones goes first.
    CloudFormation takes ``retain`` only for a stack in DELETE_FAILED, and only of resources that
    it failed to delete (API reference, DeleteStack): raises InputError E_AWS_RETAIN for others.
    Deleting what is gone, or is being deleted, is no error.
    """
    empty_zones(account, stack_id)
    kept = {"RetainResources": list(retain)} if retain else {}
    try:
        account.call("cloudformation", "DeleteStack", about=stack_id, StackName=stack_id, **kept)
    except AnswerError as error:
        if retain and error.aws_code == "ValidationError":
            raise InputError(
                "E_AWS_RETAIN",
                f"--retain {' '.join(retain)}: {error.aws_message}",
                hint="name resources that the last destroy could not delete; show names them",
            ) from error
        raise
