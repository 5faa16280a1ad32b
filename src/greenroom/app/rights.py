"""Where a right is missing, the door stays shut, with what is missing."""

from __future__ import annotations

from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, LEAST, Action, Caller, Role, allows


def require(caller: Caller, action: Action, stack: str, *, production: bool = False) -> None:
    """Refuse what the caller may not do; raises RefusedError E_FORBIDDEN.

    ``stack`` is ``EVERY_STACK`` for what concerns no single one, such as images and tokens.
    """
    if allows(caller, action, stack, production=production):
        return
    role = caller.role_on(stack)
    # Whoever may not look must not learn from the refusal what stands there.
    production = production and role is not None
    least = LEAST[action].production if production else LEAST[action].branch
    where = "every stack" if stack == EVERY_STACK else f"stack {stack}"
    needs = f"{action} on production of {where}" if production else f"{action} on {where}"
    has = "has no role there" if role is None else f"is only {role}"
    raise RefusedError(
        "E_FORBIDDEN",
        f"{needs} takes the role {least}; {caller.name} {has}",
        hint=_who_can(least, where),
        stack="" if stack == EVERY_STACK else stack,
    )


def require_somewhere(caller: Caller, action: Action) -> None:
    """Refuse who may not do it on any stack; raises RefusedError E_FORBIDDEN."""
    stacks = [grant.stack for grant in caller.grants]
    if any(allows(caller, action, stack, production=False) for stack in stacks):
        return
    best = max((g.role for g in caller.grants), key=lambda role: role.rank, default=None)
    has = "has no role at all" if best is None else f"is only {best}"
    raise RefusedError(
        "E_FORBIDDEN",
        f"{action} takes the role {LEAST[action].branch} on a stack; {caller.name} {has}",
        hint=_who_can(LEAST[action].branch, "a stack"),
    )


def _who_can(least: Role, where: str) -> str:
    """The next step: whom to ask."""
    gives = ", or give" if least is Role.OPERATOR else "; an operator can give"
    return f"somebody who is {least} of {where} can do it{gives} a token that may"


def may_read(caller: Caller, environment: str) -> bool:
    """Whether the caller may read what belongs to the environment of that full name."""
    stack = environment.partition("/")[0]
    return allows(caller, Action.READ, stack, production=True)


def readable_stacks(caller: Caller) -> frozenset[str] | None:
    """The stacks that the caller may read; None means all of them."""
    stacks = {grant.stack for grant in caller.grants}
    mine = {each for each in stacks if allows(caller, Action.READ, each, production=True)}
    return None if EVERY_STACK in mine else frozenset(mine)
