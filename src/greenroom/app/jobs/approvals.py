"""Who may decide on an execution that waits: never whoever asked for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from greenroom.app.jobs.admission import fits
from greenroom.errors import RefusedError
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.jobs import Who
from greenroom.model.tokens import TokenStatus
from greenroom.store.executions import ExecutionRecord
from greenroom.store.tokens import list_tokens, person_of

_NAMED_MAX = 5
_ROOT = Caller(name="root", grants=(Grant(stack=EVERY_STACK, role=Role.OPERATOR),))


def refuse_own(
    connection: Connection, record: ExecutionRecord, who: Who, caller: Caller, now: datetime
) -> None:
    """Refuse a decision by the person who asked: a token that somebody made for themselves is
    they. Raises RefusedError E_OWN_APPROVAL, with who else may, or how there comes to be one."""
    if not _is_own(connection, record, caller.name, now):
        return
    same = "" if caller.name == record.asked_by else f", as {record.asked_by},"
    raise RefusedError(
        "E_OWN_APPROVAL",
        f"{caller.name}{same} asked for execution {record.id}; somebody else must decide on it",
        hint=f"{_who_else(connection, record, who, now)}\n"
        f"greenroom job abort {record.id} withdraws it",
    )


def _is_own(connection: Connection, record: ExecutionRecord, name: str, now: datetime) -> bool:
    if name == record.asked_by:
        return True
    asked = person_of(connection, record.asked_by, record.created_at)
    return asked == person_of(connection, name, now)


def _who_else(connection: Connection, record: ExecutionRecord, who: Who, now: datetime) -> str:
    others = _others(connection, record, who, now)
    if others:
        more = ", …" if len(others) > _NAMED_MAX else ""
        return f"who may: {', '.join(others[:_NAMED_MAX])}{more}"
    where = "every stack" if record.stack == EVERY_STACK else f"stack {record.stack}"
    if who.callers:
        return (
            f"nobody else may: the definition of {record.job.full_name} names "
            f"{', '.join(who.callers)}; name somebody else there who is {who.role} of {where}, "
            "and register it again"
        )
    only = "" if record.stack == EVERY_STACK else f" --stack {record.stack}"
    return (
        f"nobody else may yet, as it takes the role {who.role} on {where}: "
        f"greenroom token create NAME --role {who.role}{only} makes a token for somebody else"
    )


def _others(
    connection: Connection, record: ExecutionRecord, who: Who, now: datetime
) -> tuple[str, ...]:
    """The names of all who may, root of this host first."""
    tokens = [
        Caller(name=each.name, grants=each.grants)
        for each in list_tokens(connection)
        if each.status_at(now) is TokenStatus.GOOD
    ]
    return tuple(
        each.name
        for each in (_ROOT, *tokens)
        if fits(who, each, record.stack) and not _is_own(connection, record, each.name, now)
    )
