"""What a broken stack's message offers."""

from datetime import UTC, datetime

import pytest

from greenroom.app.cloud.door import refuse_existing, refuse_kept, refuse_unless_standing
from greenroom.errors import OperationError
from greenroom.model.cloud_account import FoundStack
from greenroom.model.names import EnvironmentName

STACK = "greenroom-photos-feature-x"
DESTROY = "greenroom destroy --provider aws photos/feature-x removes it"


def found(status):
    return FoundStack(
        id=f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{STACK}/1",
        name=STACK,
        status=status,
        reason="db1 failed",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        updated_at=None,
        identity=None,
        tags={},
        outputs={},
        parameters={},
        protected=False,
        role=None,
    )


@pytest.mark.parametrize(
    ("refuse", "status", "verb"),
    [
        (refuse_existing, "UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        (refuse_unless_standing, "UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        (refuse_existing, "UPDATE_FAILED", "rollback-stack"),
        (refuse_kept, "UPDATE_FAILED", "rollback-stack"),
    ],
)
def test_a_failed_update_need_not_be_destroyed(refuse, status, verb):
    with pytest.raises(OperationError) as caught:
        refuse(found(status), EnvironmentName.parse("photos/feature-x"))
    assert caught.value.message == (
        f"photos/feature-x is there, and broken: its stack {STACK} is {status}: db1 failed"
    )
    first, second = caught.value.hint.splitlines()
    assert first.endswith(DESTROY)
    assert second.endswith(f": aws cloudformation {verb} --region eu-west-1 --stack-name {STACK}")


def test_what_a_failed_create_left_can_only_be_destroyed():
    with pytest.raises(OperationError) as caught:
        refuse_existing(found("CREATE_FAILED"), EnvironmentName.parse("photos/feature-x"))
    assert caught.value.hint.endswith(DESTROY)
