"""What boot.json says on AWS only. Imported there, and never in a local region."""

from __future__ import annotations

from .config import Fields
from .errors import AgentError
from .value import Value


class ImageSource(Value):
    """The recipe that a bare machine makes its image by; ``sha256`` (hex) is the recipe's."""

    digest: str
    url: str
    sha256: str


class NameRecord(Value):
    """A DNS record that this machine writes: its ``public`` or its private address."""

    zone: str
    name: str
    public: bool


class Aws(Value):
    """The machine's place in the account. ``domain`` completes short names. ``data_volume``: an
    EBS volume belongs where the machine restores to. ``route53_url`` ends before the path."""

    region: str
    image: ImageSource
    domain: str
    data_volume: bool
    records: tuple[NameRecord, ...]
    route53_url: str


def parse_aws(value: object) -> Aws:
    """Check every field; raises AgentError with the key, its value and what was expected."""
    where = "boot.json: aws"
    fields = Fields(value, where)
    aws = Aws(
        region=fields.text("region"),
        image=_image(Fields(fields.anything("image"), f"{where}: image")),
        domain=fields.text("domain"),
        data_volume=fields.truth("data_volume"),
        records=tuple(
            _record(Fields(item, f"{where}: records[{index}]"))
            for index, item in enumerate(fields.items("records"))
        ),
        route53_url=fields.text("route53_url"),
    )
    fields.end()
    return aws


def _image(fields: Fields) -> ImageSource:
    image = ImageSource(
        digest=fields.text("digest"), url=fields.text("url"), sha256=fields.text("sha256")
    )
    fields.end()
    for name, value in (("digest", image.digest), ("sha256", image.sha256)):
        if len(value) != 64 or not all(c in "0123456789abcdef" for c in value):
            raise AgentError(f"{fields.where}: {name} is {value!r}, expected 64 hex digits")
    return image


def _record(fields: Fields) -> NameRecord:
    record = NameRecord(
        zone=fields.text("zone"), name=fields.text("name"), public=fields.truth("public")
    )
    fields.end()
    return record
