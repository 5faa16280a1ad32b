"""The audit log over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from greenroom.app.audit import Audit
from greenroom.model.access import Action
from greenroom.model.audit import AuditFilter, AuditView, Outcome
from greenroom.web.access import Asking
from greenroom.web.moments import Moment
from greenroom.web.paging import LIMIT, Cursor, Limit, cursor_of, position_of
from greenroom.web.rights import needs_somewhere


class AuditReply(BaseModel):
    """One entry; see ``greenroom.model.audit``."""

    seq: int
    at: datetime
    caller: str
    origin: str
    action: str
    outcome: Outcome
    stack: str
    subject: str
    parameters: dict[str, str]
    code: str | None
    message: str
    reference: str | None


class AuditPage(BaseModel):
    """Entries, the newest first; ``next`` is the cursor of the older ones, if there are any. With
    ``after`` the oldest first, and ``next`` is None: the last ``seq`` is where to go on."""

    items: list[AuditReply]
    next: str | None


def audit_routes(audit: Audit) -> APIRouter:
    """The audit log."""
    routes = APIRouter(tags=["access"])

    @routes.get("/v1/audit", dependencies=[needs_somewhere(Action.AUDIT)])
    def list_audit(
        caller: Asking,
        wanted: Annotated[AuditFilter, Depends(_wanted)],
        after: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> AuditPage:
        """What was asked on the stacks that the caller operates, by whom, and how it ended."""
        if after is not None:
            new = audit.since(caller, wanted, after=after, limit=limit)
            return AuditPage(items=[_reply(each) for each in new], next=None)
        before = position_of("audit", cursor)
        found = audit.newest(caller, wanted, before=before, limit=limit + 1)
        more = cursor_of("audit", found[limit - 1].seq) if len(found) > limit else None
        return AuditPage(items=[_reply(each) for each in found[:limit]], next=more)

    return routes


def _wanted(
    by: str | None = None,
    on: Annotated[str | None, Query(description="An environment, a stack or a token.")] = None,
    action: str | None = None,
    outcome: Outcome | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    reference: Annotated[str | None, Query(description="An operation or execution.")] = None,
) -> AuditFilter:
    return AuditFilter(
        by=by,
        on=on,
        action=action,
        outcome=outcome,
        since=since,
        until=until,
        reference=reference,
    )


def _reply(view: AuditView) -> AuditReply:
    entry = view.entry
    return AuditReply(
        seq=view.seq,
        at=view.at,
        caller=entry.caller,
        origin=entry.origin,
        action=entry.action,
        outcome=entry.outcome,
        stack=entry.stack,
        subject=entry.subject,
        parameters=dict(entry.parameters),
        code=entry.code,
        message=entry.message,
        reference=entry.reference,
    )
