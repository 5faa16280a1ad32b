"""Tokens over HTTP: make one, list them, revoke one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.clock import Clock, SystemClock
from greenroom.app.tokens import EXPIRES_S, Tokens
from greenroom.model.access import EVERY_STACK, Grant, Role
from greenroom.model.tokens import TokenStatus, TokenView
from greenroom.web.access import Asking


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
    """A new token. ``token`` is its text, told this once."""

    token: str


class TokensReply(BaseModel):
    """The tokens that the caller may see."""

    items: list[TokenReply]


def token_routes(tokens: Tokens, clock: Clock | None = None) -> APIRouter:
    """The access tokens."""
    routes = APIRouter()
    clock = SystemClock() if clock is None else clock

    @routes.post("/v1/tokens", status_code=201)
    def create_token(body: TokenBody, caller: Asking) -> NewTokenReply:
        grants = [Grant(stack=each.stack, role=each.role) for each in body.grants]
        token, text = tokens.create(caller, body.name, grants, body.expires_s)
        return NewTokenReply(**_fields(token, clock.now()), token=text)

    @routes.get("/v1/tokens")
    def list_tokens(caller: Asking) -> TokensReply:
        now = clock.now()
        return TokensReply(items=[TokenReply(**_fields(each, now)) for each in tokens.all(caller)])

    @routes.delete("/v1/tokens/{token}")
    def revoke_token(token: str, caller: Asking) -> TokenReply:
        return TokenReply(**_fields(tokens.revoke(caller, token), clock.now()))

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
