"""The audit log over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from greenroom.app.audit import Audit
from greenroom.model.audit import AuditFilter, AuditView, Outcome
from greenroom.web.access import Asking


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
    """Entries, the newest first, or with ``after`` the oldest first."""

    items: list[AuditReply]


class AuditQuery(BaseModel):
    """Which entries are asked for."""

    by: str | None = None
    on: str | None = None
    action: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    reference: str | None = None
    after: int | None = None
    limit: int = 100


def audit_routes(audit: Audit) -> APIRouter:
    """The audit log."""
    routes = APIRouter()

    @routes.get("/v1/audit")
    def list_audit(query: Annotated[AuditQuery, Query()], caller: Asking) -> AuditPage:
        wanted = AuditFilter(
            by=query.by,
            on=query.on,
            action=query.action,
            outcome=query.outcome,
            since=query.since,
            until=query.until,
            reference=query.reference,
        )
        if query.after is not None:
            found = audit.since(caller, wanted, after=query.after, limit=query.limit)
        else:
            found = audit.newest(caller, wanted, before=None, limit=query.limit)
        return AuditPage(items=[_reply(each) for each in found])

    return routes


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
