"""Links that log a browser in once, for who is at the unix socket."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from greenroom.app.sessions import TICKET_TTL_S, Sessions
from greenroom.errors import HostError, RefusedError
from greenroom.model.audit import Outcome
from greenroom.web.access import Asking, bearer_of, peer_of
from greenroom.web.place import WebPlace
from greenroom.web.rights import needs_login


class LoginLink(BaseModel):
    """``url`` logs in once, within ``expires_s`` seconds."""

    url: str
    expires_s: float


def ticket_routes(sessions: Sessions, place: WebPlace) -> APIRouter:
    """``greenroom web``."""
    routes = APIRouter(tags=["access"])

    @routes.post(
        "/v1/web/tickets",
        status_code=201,
        dependencies=[needs_login(recorded=Outcome.DONE, spoken="login-link")],
    )
    def create_login_link(request: Request, response: Response, caller: Asking) -> LoginLink:
        """A link that logs a browser in once, as who asks on the unix socket."""
        if peer_of(request) is None or bearer_of(request) is not None:
            # A login by token ends with the token; one by a link could outlive it.
            raise RefusedError(
                "E_NO_TICKET",
                "login links are given on the daemon's unix socket, to who needs no token there",
                hint="the page takes the token itself",
            )
        response.headers["Cache-Control"] = "no-store"
        if place.page_url is None:
            raise HostError("E_WEB_PORT", place.notice, hint="greenroom serve --stop, then again")
        url = f"{place.page_url}/login?ticket={sessions.ticket(caller)}"
        return LoginLink(url=url, expires_s=TICKET_TTL_S)

    return routes
