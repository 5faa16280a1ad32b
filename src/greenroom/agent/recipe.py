"""An image's recipe, as `greenroom.plan.recipe` wrote it."""

from __future__ import annotations

from .bucket import Bucket
from .config import Fields
from .errors import AgentError
from .quick_json import loads
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from .account import Account
    from .aws_config import ImageSource

FOLDER = "/images/"
"""Stands between bucket and name in a recipe's URL."""


class RecipeFile(Value):
    """``path`` is absolute; ``mode`` has the permission bits."""

    path: str
    content: str
    mode: int


class Service(Value):
    """``command`` is the body of the run script."""

    name: str
    command: str


class Recipe(Value):
    """Everything that makes the image called ``digest``."""

    digest: str
    packages: tuple[str, ...]
    files: tuple[RecipeFile, ...]
    commands: tuple[str, ...]
    services: tuple[Service, ...]


def fetch_recipe(source: ImageSource, account: Account) -> Recipe:
    """The recipe, which is the one that was planned to the byte; raises AgentError."""
    from hashlib import sha256

    bucket_url, folder, name = source.url.rpartition(FOLDER)
    bucket = Bucket(url=bucket_url, account=account)
    content = bucket.read(f"{folder}{name}".lstrip("/"))
    if content is None:
        raise AgentError(f"the image's recipe is not in bucket {bucket.name!r}: {source.url}")
    found = sha256(content).hexdigest()
    if found != source.sha256:
        raise AgentError(
            f"the image's recipe {source.url}: sha256 is {found}, expected {source.sha256}"
        )
    recipe = parse_recipe(content)
    if recipe.digest != source.digest:
        raise AgentError(
            f"the image's recipe makes the image {recipe.digest}, expected {source.digest}"
        )
    return recipe


def parse_recipe(content: bytes) -> Recipe:
    """Check every field; raises AgentError."""
    try:
        value = loads(content.decode("utf-8"))
    except ValueError as error:
        raise AgentError(f"the image's recipe is not JSON: {error}") from error
    fields = Fields(value, "recipe")
    version = fields.anything("version")
    if version != 1:
        raise AgentError(f"recipe: version is {version!r}, this agent knows 1")
    recipe = Recipe(
        digest=fields.text("digest"),
        packages=fields.texts("packages"),
        files=tuple(_file(Fields(f, "recipe: files")) for f in fields.items("files")),
        commands=fields.texts("commands"),
        services=tuple(_service(Fields(s, "recipe: services")) for s in fields.items("services")),
    )
    fields.end()
    return recipe


def _file(fields: Fields) -> RecipeFile:
    file = RecipeFile(
        path=fields.text("path"), content=fields.text("content"), mode=fields.whole("mode")
    )
    fields.end()
    if not file.path.startswith("/") or ".." in file.path.split("/"):
        raise AgentError(f"recipe: files: path is {file.path!r}, expected an absolute path")
    return file


def _service(fields: Fields) -> Service:
    service = Service(name=fields.text("name"), command=fields.text("command"))
    fields.end()
    if not service.name or "/" in service.name or service.name.startswith("."):
        raise AgentError(f"recipe: services: name is {service.name!r}, expected a file's name")
    return service
