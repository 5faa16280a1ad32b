"""What a command on AWS works through, as far as it only looks at what is there."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from greenroom.blueprint.parse import parse_blueprint
from greenroom.cli.declare import BLUEPRINT_NAME
from greenroom.cli.terminal import note
from greenroom.cloud import access_of, cloud_inventory
from greenroom.errors import GreenroomError
from greenroom.providers.aws.inventory import AwsInventory
from greenroom.providers.aws.session import Access


def access_here(region: str | None, profile: str | None) -> Access:
    """Who asks and where; without flag and variable the region of the blueprint at hand."""
    return access_of(region, profile, region_here())


def inventory_here(region: str | None, profile: str | None) -> AwsInventory:
    """The account, for a command that has no live view: patience is told on stderr."""
    tell = note if sys.stderr.isatty() else lambda _: None
    return cloud_inventory(access_here(region, profile), wait=time.sleep, tell=tell)


def region_here() -> str | None:
    """The AWS region of the blueprint in this folder or a parent; None if there is none, or one
    with faults: they are told where the blueprint matters."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        place = folder / BLUEPRINT_NAME
        if place.is_file():
            try:
                spec = parse_blueprint(place.read_text("utf-8"), place).aws
            except (GreenroomError, OSError, UnicodeDecodeError):
                return None
            return spec.region if spec else None
    return None
