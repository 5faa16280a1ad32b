"""An image's recipe as a machine on AWS gets it: it makes the image of itself as it boots."""

from __future__ import annotations

import hashlib
import json

from greenroom.model.stack import Image


def recipe_bytes(image: Image) -> bytes:
    """The recipe as JSON; the same image gives the same bytes."""
    document = {
        "version": 1,
        "digest": image.digest,
        "packages": image.packages,
        "files": [
            {"path": file.path, "content": file.content, "mode": file.mode} for file in image.files
        ],
        "commands": image.commands,
        "services": [
            {"name": service.name, "command": service.command} for service in image.services
        ],
    }
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def sha256_of(content: bytes) -> str:
    """The hash that names the recipe, in hex."""
    return hashlib.sha256(content).hexdigest()
