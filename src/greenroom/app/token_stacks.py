"""Whether a new token is for a stack that is known here. One for a stack that is to come is made
as it was asked for, since whoever sets up a pipeline makes it first: a slip of the pen is told and
not refused."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from greenroom.app.history import known_blueprints
from greenroom.app.rights import may_read
from greenroom.blueprint.nearest import nearest
from greenroom.model.access import EVERY_STACK, Caller, Grant
from greenroom.store.jobs import list_jobs


def stack_notices(
    connection: Connection, caller: Caller, grants: Sequence[Grant]
) -> tuple[str, ...]:
    """One sentence for each stack of which there is neither an environment nor a job, nor was
    lately, with the nearest name of those that ``caller`` may read."""
    known = {each.stack for each in known_blueprints(connection)}
    known |= {record.job.stack for record in list_jobs(connection)}
    seen = {stack for stack in known if may_read(caller, stack)}
    asked = dict.fromkeys(grant.stack for grant in grants)
    return tuple(
        _notice(stack, seen) for stack in asked if stack != EVERY_STACK and stack not in known
    )


def _notice(stack: str, known: set[str]) -> str:
    meant = nearest(stack, sorted(known))
    nothing = f"nothing of stack {stack} is known here yet"
    if meant is not None:
        return f"{nothing}; did you mean {meant}?"
    return f"{nothing}: the token opens it from its first environment on"
