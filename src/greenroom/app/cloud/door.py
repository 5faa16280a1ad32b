"""What is refused because of the stack that is there already; each with the next step."""

from __future__ import annotations

from greenroom.errors import GreenroomError, InputError, OperationError, RefusedError
from greenroom.model.cloud_account import REVIEW_IN_PROGRESS, FoundStack
from greenroom.model.names import EnvironmentName

STANDING = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
"""A stack that CloudFormation is done with and that can be updated."""

KEPT = "UPDATE_FAILED"
"""What an update that failed was told to leave as it is; the next one goes on from there
(CloudFormation guide, "Stack failure options")."""

_DOING = {
    "CREATE_IN_PROGRESS": "is being created",
    "DELETE_IN_PROGRESS": "is being destroyed",
    "ROLLBACK_IN_PROGRESS": "is being taken back: its create failed",
    "UPDATE_IN_PROGRESS": "is being updated",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "is being updated",
    "UPDATE_ROLLBACK_IN_PROGRESS": "is being taken back: its update failed",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "is being taken back: its update failed",
}


def refuse_existing(found: FoundStack | None, environment: EnvironmentName) -> None:
    """A create needs a free name. What a failed create left that holds nothing is no hindrance."""
    if found is None or found.status in (REVIEW_IN_PROGRESS, "ROLLBACK_COMPLETE"):
        return
    if found.status in STANDING:
        raise InputError(
            "E_ENVIRONMENT_EXISTS",
            f"environment {environment} exists already on AWS ({found.status} since "
            f"{found.updated_at or found.created_at:%Y-%m-%d %H:%M} UTC)",
            hint=f"greenroom update --provider aws {environment}, or "
            f"greenroom destroy --provider aws {environment} first",
        )
    raise _unusable(found, environment)


def refuse_unless_standing(found: FoundStack | None, environment: EnvironmentName) -> FoundStack:
    """An update needs an environment whose last operation has ended well, was taken back, or was
    left as it failed."""
    if found is None or found.status in (REVIEW_IN_PROGRESS, "ROLLBACK_COMPLETE"):
        raise InputError(
            "E_NO_ENVIRONMENT",
            f"there is no environment {environment} on AWS to update",
            hint="greenroom create --provider aws makes it, with the same words",
        )
    if found.status not in (*STANDING, KEPT):
        raise _unusable(found, environment)
    return found


def refuse_kept(found: FoundStack, environment: EnvironmentName) -> None:
    """Nothing to do is no success where the last update has failed."""
    if found.status == KEPT:
        raise _unusable(found, environment)


def _unusable(found: FoundStack, environment: EnvironmentName) -> GreenroomError:
    if found.moving:
        doing = _DOING.get(found.status, "is being worked on")
        return RefusedError(
            "E_AWS_BUSY",
            f"{environment} is busy: it {doing} ({found.status})",
            hint=f"wait for it: greenroom show --provider aws {environment}",
        )
    because = f": {found.reason}" if found.reason else ""
    return OperationError(
        "E_AWS_STACK_FAILED",
        f"{environment} is there, and broken: its stack {found.name} is {found.status}{because}",
        hint=f"greenroom show --provider aws {environment} tells what is left of it, "
        f"greenroom destroy --provider aws {environment} removes it{_way_back(found)}",
    )


def _way_back(found: FoundStack) -> str:
    """What a failed update left may still be worth having."""
    verb = _WAYS_BACK.get(found.status)
    if verb is None:
        return ""
    region = found.id.split(":")[3]
    return (
        "\nto have it as it was before the update, mend the reason, then: "
        f"aws cloudformation {verb} --region {region} --stack-name {found.name}"
    )


_WAYS_BACK = {
    "UPDATE_FAILED": "rollback-stack",
    "UPDATE_ROLLBACK_FAILED": "continue-update-rollback",
}
"""API reference, RollbackStack and ContinueUpdateRollback."""
