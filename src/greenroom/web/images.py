"""Images over HTTP: the list, a build, a removal."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from greenroom.app.control_plane import ControlPlane
from greenroom.app.image_builds import build_images, chosen_images, refuse_image_in_use
from greenroom.errors import InputError
from greenroom.model.access import Action
from greenroom.model.audit import Outcome
from greenroom.model.views import BuiltImage
from greenroom.ports import Host
from greenroom.web.event_stream import NDJSON, event_line, ndjson, one_stream
from greenroom.web.rights import needs_everywhere, needs_somewhere


class BuildBody(BaseModel):
    """``greenroom image build``; no names: all of the blueprint's images."""

    model_config = ConfigDict(extra="forbid")

    blueprint: Path
    names: list[str] = []


class Removed(BaseModel):
    """The digests of the images that are gone."""

    removed: list[str]


def image_routes(control: ControlPlane, host: Host) -> APIRouter:
    """The cached images."""
    routes = APIRouter(tags=["images"])

    @routes.get("/v1/images", dependencies=[needs_somewhere(Action.READ)])
    def list_images() -> list[BuiltImage]:
        """The cached images, which all stacks share."""
        return list(host.images())

    @routes.post(
        "/v1/images/build",
        dependencies=[
            needs_everywhere(Action.IMAGES, recorded=Outcome.ACCEPTED, body=BuildBody),
            one_stream(),
        ],
        **ndjson("One event of the build each; the last is its result."),
    )
    def build_images_of_blueprint(body: BuildBody) -> StreamingResponse:
        """Build the blueprint's images that are not there yet, and tell of it as NDJSON."""
        chosen = chosen_images(body.blueprint, tuple(body.names))
        lines = (event_line(event) for event in build_images(host, chosen))
        return StreamingResponse(lines, media_type=NDJSON)

    @routes.delete(
        "/v1/images/{digest}",
        dependencies=[needs_everywhere(Action.IMAGES, recorded=Outcome.DONE)],
    )
    def remove_image(digest: str) -> Removed:
        """Remove an image that no environment stands on."""
        stacks = [control.stack_of(view.name) for view in control.environments()]
        refuse_image_in_use(digest, stacks)
        if not host.remove_image(digest):
            raise InputError(
                "E_NO_IMAGE", f"there is no image {digest}", hint="see greenroom image list"
            )
        return Removed(removed=[digest])

    return routes
