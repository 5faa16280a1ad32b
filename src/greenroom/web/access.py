"""Who a request comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from greenroom.model.access import EVERY_STACK, Caller, Grant, Role


def caller_of(request: Request) -> Caller:
    """The caller of a request on the unix socket, which only root can open."""
    return Caller(name="root", grants=(Grant(stack=EVERY_STACK, role=Role.OPERATOR),))


Asking = Annotated[Caller, Depends(caller_of)]
