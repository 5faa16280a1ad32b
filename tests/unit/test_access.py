"""The rights matrix: role × action × stage, whole."""

from __future__ import annotations

import pytest

from greenroom.app.rights import require
from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, ITSELF, Action, Caller, Grant, Role, allows

# What each role may do: on a branch's environment, and on production.
MATRIX: dict[Action, tuple[str, str]] = {
    Action.READ: ("viewer developer operator", "viewer developer operator"),
    Action.CREATE: ("developer operator", "operator"),
    Action.DEPLOY: ("developer operator", "operator"),
    Action.DESTROY: ("developer operator", "operator"),
    Action.RECOVER: ("developer operator", "operator"),
    Action.REPLACE: ("developer operator", "operator"),
    Action.DRILL: ("developer operator", "operator"),
    Action.EXTEND: ("developer operator", "operator"),
    Action.STOP: ("developer operator", "operator"),
    Action.START: ("developer operator", "operator"),
    Action.CANCEL: ("developer operator", "operator"),
    Action.PROVE: ("developer operator", "operator"),
    Action.EXEC: ("developer operator", "operator"),
    Action.RUN_JOB: ("developer operator", "operator"),
    Action.REGISTER_JOBS: ("operator", "operator"),
    Action.IMAGES: ("operator", "operator"),
    Action.AUDIT: ("operator", "operator"),
    Action.TOKENS: ("operator", "operator"),
}


def caller(role: Role, stack: str = "photos") -> Caller:
    return Caller(name=f"a {role}", grants=(Grant(stack=stack, role=role),))


def test_the_matrix_has_a_line_for_every_action() -> None:
    assert set(MATRIX) == set(Action)


@pytest.mark.parametrize("production", [False, True])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("action", list(Action))
def test_a_role_may_do_what_the_matrix_says(action: Action, role: Role, production: bool) -> None:
    may = role in MATRIX[action][production].split()
    assert allows(caller(role), action, "photos", production=production) is may


@pytest.mark.parametrize("action", list(Action))
def test_a_role_on_another_stack_is_none_here(action: Action) -> None:
    assert not allows(caller(Role.OPERATOR, "videos"), action, "photos", production=False)
    assert not allows(caller(Role.OPERATOR, "photos"), action, EVERY_STACK, production=False)
    assert allows(caller(Role.OPERATOR, EVERY_STACK), action, "photos", production=True)


def test_of_two_roles_on_a_stack_the_higher_counts() -> None:
    grants = (
        Grant(stack=EVERY_STACK, role=Role.VIEWER),
        Grant(stack="photos", role=Role.OPERATOR),
        Grant(stack="photos", role=Role.DEVELOPER),
    )
    both = Caller(name="ann", grants=grants)
    assert (both.role_on("photos"), both.role_on("videos")) == (Role.OPERATOR, Role.VIEWER)


def test_what_greenroom_does_by_itself_is_allowed() -> None:
    assert all(allows(ITSELF, action, "photos", production=True) for action in Action)


@pytest.mark.parametrize(
    ("who", "production", "message"),
    [
        (
            caller(Role.VIEWER),
            False,
            "destroy on stack photos takes the role developer; a viewer is only viewer",
        ),
        (
            caller(Role.DEVELOPER),
            True,
            "destroy on production of stack photos takes the role operator; "
            "a developer is only developer",
        ),
        (
            caller(Role.OPERATOR, "videos"),
            False,
            "destroy on stack photos takes the role developer; a operator has no role there",
        ),
    ],
)
def test_a_refusal_says_what_is_missing(who: Caller, production: bool, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        require(who, Action.DESTROY, "photos", production=production)
    assert refused.value.code == "E_FORBIDDEN"
    assert refused.value.message == message
