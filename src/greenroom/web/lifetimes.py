"""Lifetimes over HTTP: an environment is extended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.lifetimes import Lifetimes
from greenroom.model.lifetimes import Extension
from greenroom.web.access import Asking


class ExtendBody(BaseModel):
    """``greenroom extend``; ``ttl_s`` None: as long as the blueprint says."""

    model_config = ConfigDict(extra="forbid")

    ttl_s: Annotated[float, Field(allow_inf_nan=False)] | None = None


def lifetime_routes(lifetimes: Lifetimes) -> APIRouter:
    """How long environments live."""
    routes = APIRouter()

    @routes.post("/v1/environment/extend")
    def extend(name: str, body: ExtendBody, caller: Asking) -> Extension:
        return lifetimes.extend(name, body.ttl_s, caller)

    return routes
