"""Every machine, now or as it was then, and what changed since."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from greenroom.app.rights import readable_stacks
from greenroom.errors import GreenroomError, InputError
from greenroom.model.inventory import MachineChange, MachineQuery, MachineRecord
from greenroom.web.moments import in_utc
from greenroom.web.page.asking import LoggedIn
from greenroom.web.page.render import page
from greenroom.web.page.rights import shows
from greenroom.web.page.site_parts import Parts

PAGE_MAX = 100
_CHANGES_MAX = 50


def inventory_pages(parts: Parts) -> APIRouter:
    """The table with its filters, and the changes."""
    routes = APIRouter()
    inventory = parts.inventory

    @routes.get("/inventory", dependencies=[shows()])
    def machines(
        request: Request,
        session: LoggedIn,
        role: str = "",
        branch: str = "",
        at: str = "",
        after: str | None = None,
    ) -> Response:
        query = MachineQuery(
            role=role.strip() or None,
            branch=branch.strip() or None,
            stacks=readable_stacks(session.caller),
        )
        found: tuple[MachineRecord, ...] = ()
        changes: tuple[MachineChange, ...] = ()
        more: str | None = None
        error: GreenroomError | None = None
        try:
            moment = moment_of(at)
            if moment is None:
                listed = inventory.machines(query, after=after, limit=PAGE_MAX)
                found, more = listed.machines, listed.next
            else:
                listed = inventory.machines_at(query, moment, after=after, limit=PAGE_MAX)
                found, more = listed.machines, listed.next
                changes = inventory.changes(query, moment, _CHANGES_MAX)
        except GreenroomError as raised:
            error = raised
        return page(
            request,
            "inventory.html",
            session=session,
            status_code=200 if error is None else 422,
            machines=found,
            after=after,
            more=more,
            changes=changes,
            role=role,
            branch=branch,
            at=at,
            error=error,
        )

    return routes


def moment_of(text: str) -> datetime | None:
    """What a field for date and time says, in UTC; None for nothing. Raises InputError E_TIME."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(
            "E_TIME",
            f"{text[:40]!r} is no time; expected one such as 2026-11-23T04:30",
            hint="leave it empty for now",
        ) from error
    return in_utc(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
