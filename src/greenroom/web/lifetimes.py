"""Lifetimes over HTTP: an environment is extended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.lifetimes import Lifetimes
from greenroom.app.lookup import exact_name
from greenroom.model.access import Action
from greenroom.model.audit import Outcome
from greenroom.model.lifetimes import Extension
from greenroom.web.access import Asking
from greenroom.web.rights import needs


class ExtendBody(BaseModel):
    """``greenroom extend``; ``ttl_s`` None: as long as the blueprint says."""

    model_config = ConfigDict(extra="forbid")

    ttl_s: Annotated[float, Field(allow_inf_nan=False)] | None = None


def lifetime_routes(lifetimes: Lifetimes) -> APIRouter:
    """How long environments live."""
    routes = APIRouter(tags=["environments"])

    @routes.post(
        "/v1/environments/{stack}/{slug}/extend",
        dependencies=[needs(Action.EXTEND, recorded=Outcome.DONE, body=ExtendBody)],
    )
    def extend_environment(stack: str, slug: str, body: ExtendBody, caller: Asking) -> Extension:
        """Let an environment live longer, from now on."""
        return lifetimes.extend(exact_name(stack, slug), body.ttl_s, caller)

    return routes
