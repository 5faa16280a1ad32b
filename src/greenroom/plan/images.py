"""Image recipes, and the digest that names the image which a recipe makes."""

from __future__ import annotations

import hashlib
import json

from greenroom.blueprint.schema import Blueprint
from greenroom.model.stack import Image, ImageFile, Service

RECIPE_VERSION = 2
"""Raised when the same recipe must give another image, because the way of building changed."""

BASE_PACKAGES = ("ca-certificates", "curl", "python3", "s6")
"""What user data and agent need, and the supervisor."""


def image_of(blueprint: Blueprint, name: str) -> Image:
    """The recipe of the image called ``name``; raises KeyError."""
    spec = blueprint.images[name]
    packages = tuple(sorted({*BASE_PACKAGES, *spec.packages}))
    files = tuple(
        ImageFile(path=path, content=blueprint.contents[source])
        for path, source in sorted(spec.files.items())
    )
    services = tuple(
        Service(name=service, command=part.command) for service, part in spec.services.items()
    )
    return Image(
        name=name,
        digest=_digest(spec.suite, packages, files, spec.commands, services),
        suite=spec.suite,
        packages=packages,
        files=files,
        commands=spec.commands,
        services=services,
    )


def all_images(blueprint: Blueprint) -> tuple[Image, ...]:
    """The recipes of all images of a blueprint, in its order."""
    return tuple(image_of(blueprint, name) for name in blueprint.images)


def _digest(
    suite: str,
    packages: tuple[str, ...],
    files: tuple[ImageFile, ...],
    commands: tuple[str, ...],
    services: tuple[Service, ...],
) -> str:
    """Hash of everything that decides an image's content; its name does not."""
    recipe = {
        "version": RECIPE_VERSION,
        "suite": suite,
        "packages": packages,
        "files": [[file.path, file.content, file.mode] for file in files],
        "commands": commands,
        "services": [[service.name, service.command] for service in services],
    }
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
