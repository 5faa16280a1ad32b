"""Images over HTTP: the list, a build, a removal."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from greenroom.app.control_plane import ControlPlane
from greenroom.app.image_builds import build_images, chosen_images, refuse_image_in_use
from greenroom.app.rights import require
from greenroom.errors import InputError
from greenroom.model.access import EVERY_STACK, Action
from greenroom.providers.local import images
from greenroom.providers.local.provider import LocalProvider
from greenroom.web.access import Asking
from greenroom.web.event_stream import NDJSON, event_line


class BuildBody(BaseModel):
    """``greenroom image build``; no names: all of the blueprint's images."""

    model_config = ConfigDict(extra="forbid")

    blueprint: Path
    names: list[str] = []


def image_routes(control: ControlPlane, provider: LocalProvider) -> APIRouter:
    """The cached images."""
    routes = APIRouter()

    @routes.get("/v1/images")
    def list_images() -> list[images.BuiltImage]:
        return list(images.list_images(provider.layout))

    @routes.post("/v1/images/build")
    def build(body: BuildBody, caller: Asking) -> StreamingResponse:
        require(caller, Action.IMAGES, EVERY_STACK)
        chosen = chosen_images(body.blueprint, tuple(body.names))
        lines = (event_line(event) for event in build_images(provider, chosen))
        return StreamingResponse(lines, media_type=NDJSON)

    @routes.delete("/v1/images")
    def remove(digest: str, caller: Asking) -> dict[str, list[str]]:
        require(caller, Action.IMAGES, EVERY_STACK)
        stacks = [control.stack_of(view.name) for view in control.environments()]
        refuse_image_in_use(digest, stacks)
        if not images.remove_image(provider.layout, digest):
            raise InputError(
                "E_IMAGE", f"there is no image {digest}", hint="see greenroom image list"
            )
        return {"removed": [digest]}

    return routes
