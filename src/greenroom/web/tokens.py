"""Tokens over HTTP: make one, list them, revoke one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.clock import Clock, SystemClock
from greenroom.app.tokens import EXPIRES_S, Tokens
from greenroom.model.access import EVERY_STACK, Action, Grant, Role
from greenroom.model.tokens import TokenStatus, TokenView
from greenroom.web.access import Asking
from greenroom.web.paging import LIMIT, Cursor, Limit, cursor_of, position_of
from greenroom.web.rights import needs_somewhere


class GrantBody(BaseModel):
    """A role on one stack, or on all of them (``*``)."""

    model_config = ConfigDict(extra="forbid")

    stack: str = EVERY_STACK
    role: Role


class TokenBody(BaseModel):
    """``greenroom token create``."""

    model_config = ConfigDict(extra="forbid")

    name: str
    grants: list[GrantBody] = Field(min_length=1, max_length=100)
    expires_s: float = EXPIRES_S


class TokenReply(BaseModel):
    """A token, without its text."""

    id: str
    name: str
    grants: list[GrantBody]
    status: TokenStatus
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewTokenReply(TokenReply):
    """A new token. ``token`` is its text, told this once; ``notices`` are what its maker should
    know, such as that nothing of its stack is known here."""

    token: str
    notices: list[str]


class RevokedReply(TokenReply):
    """A token that opens nothing any more; ``again`` if it had been revoked before, at
    ``revoked_at``."""

    again: bool


class TokensPage(BaseModel):
    """Tokens by name; ``next`` is the cursor of those that follow, if there are any."""

    items: list[TokenReply]
    next: str | None


def token_routes(tokens: Tokens, clock: Clock | None = None) -> APIRouter:
    """The access tokens."""
    routes = APIRouter(tags=["access"])
    clock = SystemClock() if clock is None else clock

    @routes.post(
        "/v1/tokens",
        status_code=201,
        dependencies=[needs_somewhere(Action.TOKENS, body=TokenBody)],
    )
    def create_token(body: TokenBody, response: Response, caller: Asking) -> NewTokenReply:
        """Make a token; its text is told in this answer and never again."""
        response.headers["Cache-Control"] = "no-store"
        grants = [Grant(stack=each.stack, role=each.role) for each in body.grants]
        token, text = tokens.create(caller, body.name, grants, body.expires_s)
        notices = list(tokens.notices(caller, grants))
        return NewTokenReply(**_fields(token, clock.now()), token=text, notices=notices)

    @routes.get("/v1/tokens", dependencies=[needs_somewhere(Action.TOKENS)])
    def list_tokens(caller: Asking, limit: Limit = LIMIT, cursor: Cursor = None) -> TokensPage:
        """The tokens of the stacks that the caller operates, also those that open nothing any
        more, by name."""
        now = clock.now()
        first = position_of("tokens", cursor) or 0
        found = tokens.all(caller)
        more = cursor_of("tokens", first + limit) if len(found) > first + limit else None
        items = [TokenReply(**_fields(each, now)) for each in found[first : first + limit]]
        return TokensPage(items=items, next=more)

    @routes.delete("/v1/tokens/{token}", dependencies=[needs_somewhere(Action.TOKENS)])
    def revoke_token(token: str, caller: Asking) -> RevokedReply:
        """End the token of that id or name, at once."""
        done = tokens.revoke(caller, token)
        return RevokedReply(**_fields(done.token, clock.now()), again=done.again)

    return routes


def _fields(token: TokenView, now: datetime) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "grants": [GrantBody(stack=each.stack, role=each.role) for each in token.grants],
        "status": token.status_at(now),
        "created_by": token.created_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
