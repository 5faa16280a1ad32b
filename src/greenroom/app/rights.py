"""Where a right is missing, the door stays shut, with what is missing."""

from __future__ import annotations

from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, LEAST, Action, Caller, allows


def require(caller: Caller, action: Action, stack: str, *, production: bool = False) -> None:
    """Refuse what the caller may not do; raises RefusedError E_FORBIDDEN.

    ``stack`` is ``EVERY_STACK`` for what concerns no single one, such as images and tokens.
    """
    if allows(caller, action, stack, production=production):
        return
    least = LEAST[action].production if production else LEAST[action].branch
    role = caller.role_on(stack)
    where = "every stack" if stack == EVERY_STACK else f"stack {stack}"
    needs = f"{action} on production of {where}" if production else f"{action} on {where}"
    has = "has no role there" if role is None else f"is only {role}"
    raise RefusedError(
        "E_FORBIDDEN",
        f"{needs} takes the role {least}; {caller.name} {has}",
        hint=f"somebody who is operator of {where} can do it, or give a token that may",
    )
