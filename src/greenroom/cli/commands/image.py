"""``greenroom image``."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from greenroom.cli.client import error_from
from greenroom.cli.connect import connect
from greenroom.cli.live import ProgressView
from greenroom.cli.options import file_option, json_option
from greenroom.cli.provider import refuse_on_aws
from greenroom.cli.request import blueprint_path
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import age, clean, count, size, table
from greenroom.errors import OperationError, UsageError

if TYPE_CHECKING:
    from greenroom.cli.shapes import EventReply, ImageReply

DIGEST_COLUMNS = 12


@click.group("image")
def image() -> None:
    """Build, list and remove machine images."""
    refuse_on_aws(
        "image",
        "on AWS a machine makes its image as it boots, or takes an AMI ('ami' of the blueprint's "
        "image)",
        None,
    )


@image.command("build")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@file_option
@json_option
def build(names: tuple[str, ...], file: str | None, as_json: bool) -> None:
    """Build the blueprint's images, all or the named ones; what is cached is kept."""
    client = connect()
    view = None if as_json else ProgressView(sys.stderr)
    result = None
    blueprint = str(blueprint_path(file))
    try:
        for event in client.build_images(blueprint, names, tick_s=view.tick_s if view else None):
            if event is not None:
                result = event
            _render(view, event)
    finally:
        if view is not None:
            view.close()
    if result is None or result["kind"] != "result":
        raise OperationError("E_EVENTS_BROKEN", "the build ended without a result")
    if result["status"] != "succeeded":
        raise error_from(
            result["code"] or "E_OPERATION",
            result["message"],
            hint=result["hint"] or "",
            exit_code=result["exit_code"] or 1,
        )
    if not as_json:
        say(clean(result["message"]) or "the images are built")


@image.command("list")
@json_option
def list_images(as_json: bool) -> None:
    """List the cached images."""
    images = connect().images()
    if as_json:
        say_json(images)
    elif not images:
        say("there is no image; greenroom image build makes them, and so does create")
    else:
        rows = [
            (each["name"], each["digest"][:DIGEST_COLUMNS], size(each["bytes"]), _built(each))
            for each in images
        ]
        head, *lines = table(("IMAGE", "DIGEST", "SIZE", "BUILT"), rows)
        say(Paint(sys.stdout)("dim", head))
        for line in lines:
            say(line)


@image.command("remove")
@click.argument("digest")
@json_option
def remove(digest: str, as_json: bool) -> None:
    """Remove a cached image; the beginning of its digest is enough."""
    client = connect()
    removed = client.remove_image(_whole_digest(client.images(), digest))
    if as_json:
        say_json({"removed": removed})
    else:
        say(f"removed {count(len(removed), 'image')}: {', '.join(map(clean, removed))}")


def _render(view: ProgressView | None, event: EventReply | None) -> None:
    if view is None:
        if event is not None:
            say_json(event)
    elif event is None:
        view.tick()
    else:
        view.show(event)


def _whole_digest(images: Sequence[ImageReply], beginning: str) -> str:
    """The digest that begins so; what is not listed is for the daemon to judge, if it is hex."""
    if not re.fullmatch(r"[0-9a-f]+", beginning):
        raise UsageError(
            "E_USAGE", f"{beginning!r} is not a digest (hex)", hint="greenroom image list has them"
        )
    matches = [each["digest"] for each in images if each["digest"].startswith(beginning)]
    if len(matches) > 1:
        raise UsageError(
            "E_WHICH_IMAGE",
            f"{count(len(matches), 'digest')} begin with {beginning}",
            hint="greenroom image list --json has them whole",
        )
    return matches[0] if matches else beginning


def _built(reply: ImageReply) -> str:
    return f"{age(reply['built_at'])} ago"
