"""How long restores and boots took over the past, as a plot and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from greenroom.app.rights import require
from greenroom.drawing.plot import Point, Series, plot
from greenroom.model.access import EVERY_STACK, Action
from greenroom.model.proof import Verdict
from greenroom.model.timings import TimedKind, Timing
from greenroom.web.page.asking import LoggedIn
from greenroom.web.page.render import page
from greenroom.web.page.rights import shows
from greenroom.web.page.site_parts import Parts

_ROWS_MAX = 200


def drill_pages(parts: Parts) -> APIRouter:
    """One page for each stack, or for all."""
    routes = APIRouter()

    @routes.get("/drills", dependencies=[shows()])
    def drills(request: Request, session: LoggedIn, stack: str = "") -> Response:
        if stack:
            require(session.caller, Action.READ, stack)
        found = parts.timings.newest(stack or None, _ROWS_MAX)
        seen = [row for row in found if session.caller.role_on(row.stack) is not None]
        granted = [grant.stack for grant in session.caller.grants]
        named = {row.stack for row in seen} | {each for each in granted if each != EVERY_STACK}
        return page(
            request,
            "drills.html",
            session=session,
            rows=seen,
            drawing=plot(_series(seen), "Seconds that restores and boots took"),
            stack=stack,
            stacks=sorted(named),
        )

    return routes


def _series(rows: Sequence[Timing]) -> tuple[Series, ...]:
    """The newest last. What failed took no time that anybody should expect."""
    good = [row for row in reversed(rows) if row.verdict is not Verdict.FAILED]
    cold = [row for row in good if row.kind is TimedKind.DRILL]
    boots = [row for row in good if row.kind is not TimedKind.DRILL]
    return (
        Series(name="full restore", points=_points(cold, lambda row: row.restore_s)),
        Series(name="data ready", points=_points(boots, lambda row: row.restore_s)),
        Series(name="machines booted", points=_points(boots, lambda row: row.boot_s)),
        Series(name="up and proved", points=_points(boots, lambda row: row.total_s)),
    )


def _points(
    rows: Sequence[Timing], seconds_of: Callable[[Timing], float | None]
) -> tuple[Point, ...]:
    return tuple(
        Point(at=row.at, seconds=seconds, words=f"{row.kind} of {row.environment}")
        for row in rows
        if (seconds := seconds_of(row)) is not None
    )
