"""The kinds of text and number that a blueprint holds, each with its rule and its message.

Everything here ends in a file name, a host name, an nft set, a command line or an HTTP header
somewhere. The rules are narrow enough that none of them needs quoting there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from greenroom.blueprint.instance_types import INSTANCE_TYPES
from greenroom.blueprint.nearest import unknown
from greenroom.model.names import LABEL, STACK_NAME_MAX
from greenroom.model.stack import PortRange

PORT_MAX = 65535
TYPE_NAME_MAX = 32
LABEL_MAX = 63
ZONE_MAX = 100
ANYWHERE = "anywhere"
EVERY_ADDRESS = IPv4Network("0.0.0.0/0")
BRANCH_TAG = "branch"
UNREADABLE_TAGS = frozenset({".", "..", "_index"})
"""EC2 refuses these keys where instance metadata may show tags (EC2 guide, instance tags)."""
AGENT_BUCKET = "greenroom-agent"
"""The regional bucket that holds the agent; a team's bucket would hide it."""
BOOT_SERVICE = "user-data"
"""The service that runs the user data in every machine."""
VALUE_SHOWN_MAX = 60


def shown(value: object) -> str:
    """A value as a message quotes it: as the file writes it, on one line, not too long."""
    match value:
        case None:
            return "an empty value"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case tuple():
            return "a list"
    text = repr(value)
    return text if len(text) <= VALUE_SHOWN_MAX else f"{text[: VALUE_SHOWN_MAX - 1]}…"


def has_control_characters(text: str, *, allowed: str = "") -> bool:
    """Whether ``text`` holds anything of C0, DEL, C1 or the line separators of Unicode."""
    return any(
        (ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or c in "\u2028\u2029") and c not in allowed
        for c in text
    )


@dataclass(frozen=True, slots=True)
class Matching:
    """Text that matches ``pattern`` as a whole; ``expected`` completes the sentence "… is not"."""

    pattern: str
    maximum: int
    expected: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # An editor's regular expressions search, so the pattern must be anchored for them.
        rule = {"pattern": f"^(?:{self.pattern})$", "maxLength": self.maximum}
        return {**handler(schema), **rule}

    def _check(self, text: str) -> str:
        if len(text) > self.maximum or not re.fullmatch(self.pattern, text):
            raise ValueError(f"{shown(text)} is not {self.expected}")
        return text


def _label(maximum: int) -> Matching:
    expected = f"a DNS label (a-z, 0-9 and inner dashes, at most {maximum} characters)"
    return Matching(LABEL.pattern, maximum, expected)


def _plain_text(maximum: int, *, allowed: str = "", minimum: int = 0) -> Callable[[str], str]:
    def check(text: str) -> str:
        if has_control_characters(text, allowed=allowed):
            raise ValueError(f"{shown(text)} holds control characters; expected printable text")
        if not minimum <= len(text.strip()) or len(text) > maximum:
            raise ValueError(
                f"{shown(text)} has {len(text)} characters; expected {minimum} to {maximum}"
            )
        return text

    return check


def _no_parent_parts(text: str) -> str:
    parts = text.strip("/").split("/")
    if any(part in (".", "..") for part in parts):
        raise ValueError(f"{shown(text)} has a '.' or '..' in it; expected a path without them")
    return text


def _no_reserved_key(key: str) -> str:
    if key == BRANCH_TAG:
        raise ValueError(f"the tag {key!r} is set by greenroom itself; leave it out")
    if key in UNREADABLE_TAGS:
        raise ValueError(f"the tag {key!r} cannot be read from instance metadata; rename it")
    return key


def _known_instance_type(text: str) -> str:
    if text not in INSTANCE_TYPES:
        raise ValueError(unknown("instance type", text, INSTANCE_TYPES))
    return text


def parse_port_range(value: object) -> PortRange:
    """``80`` or ``"8000-8100"`` to a range; raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", str(value))
    if isinstance(value, bool) or not isinstance(value, int | str) or match is None:
        raise ValueError(f'{shown(value)} is not a port; expected 80 or "8000-8100"')
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= PORT_MAX:
        raise ValueError(f"{shown(value)} is out of range; expected 1 to {PORT_MAX}, low to high")
    return PortRange(first=first, last=last)


def looks_like_network(text: str) -> bool:
    """Whether an ingress source means addresses; a group's name cannot hold these characters."""
    return text == ANYWHERE or any(c in text for c in "./:")


def parse_network(text: str) -> IPv4Network:
    """``anywhere`` or a CIDR to a network; raises ValueError."""
    if text == ANYWHERE:
        return EVERY_ADDRESS
    try:
        return IPv4Network(text)
    except ValueError:
        pass
    try:
        wider = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{shown(text)} is not an IPv4 network; expected a CIDR such as 10.0.0.0/8"
        ) from None
    raise ValueError(f"{shown(text)} has host bits set; did you mean {str(wider)!r}?")


def _ingress_source(text: str) -> str:
    if looks_like_network(text):
        parse_network(text)
    return text


def _check_artifact(text: str) -> str:
    if re.search(r"[{}]", text.replace("{branch}", "")):
        raise ValueError(f"{shown(text)} has a placeholder other than {{branch}}")
    return text


def _web_address(text: str) -> str:
    # The text itself is told to nobody: such an address often holds a password.
    try:
        parts = urlsplit(text)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        parts, host = None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise ValueError("the url is not an http or https address")
    return text


_KEY = r"[A-Za-z0-9._{}@+-]+(?:/[A-Za-z0-9._{}@+-]+)*"
_ABSOLUTE = r"(?:/[A-Za-z0-9._@+-]+)+"

StackName = Annotated[str, _label(STACK_NAME_MAX)]
TypeName = Annotated[str, _label(TYPE_NAME_MAX)]
Label = Annotated[str, _label(LABEL_MAX)]
Zone = Annotated[
    str,
    Matching(
        rf"(?!.*[a-z0-9-]{{64}}){LABEL.pattern}(\.{LABEL.pattern})*",
        ZONE_MAX,
        "a DNS name in lower case such as 'photos.internal'",
    ),
]
SqlName = Annotated[
    str, Matching(r"[A-Za-z0-9_]{1,32}", 32, "a name of 1 to 32 letters, digits and underscores")
]
ServiceName = Annotated[
    str,
    Matching(
        r"[a-z0-9][a-z0-9._-]*", 32, "a service name (a-z, 0-9, '.', '_' and '-', at most 32)"
    ),
]
PackageName = Annotated[str, Matching(r"[a-z0-9][a-z0-9+.-]+", 100, "the name of a Debian package")]
SuiteName = Annotated[str, Matching(r"[a-z][a-z0-9-]*", 32, "a Debian suite such as 'bookworm'")]
TagKey = Annotated[
    str,
    Matching(
        r"(?!aws:)[A-Za-z0-9+=.,_:@-]{1,127}",
        127,
        "a tag key (1 to 127 of A-Z a-z 0-9 + = . , _ : @ -, not starting with 'aws:')",
    ),
    AfterValidator(_no_reserved_key),
]
TagValue = Annotated[str, AfterValidator(_plain_text(256))]
Text = Annotated[str, AfterValidator(_plain_text(255))]
BranchName = Annotated[str, AfterValidator(_plain_text(255, minimum=1))]
ShellText = Annotated[str, AfterValidator(_plain_text(8000, allowed="\n\t", minimum=1))]
Word = Annotated[str, AfterValidator(_plain_text(4000, allowed="\n\t"))]
AbsolutePath = Annotated[
    str,
    Matching(
        _ABSOLUTE,
        200,
        "an absolute path such as '/var/www/backend' (of A-Z a-z 0-9 . _ @ + -)",
    ),
    AfterValidator(_no_parent_parts),
]
ObjectKey = Annotated[
    str,
    Matching(_KEY.replace("{}", ""), 200, "an object's key such as 'extract/manifest.json'"),
    AfterValidator(_no_parent_parts),
]
ArtifactKey = Annotated[
    str,
    Matching(_KEY, 200, "an object's key such as 'backend-{branch}.tar.gz'"),
    AfterValidator(_no_parent_parts),
    AfterValidator(_check_artifact),
]
HttpPath = Annotated[
    str, Matching(r"/[!-~]*", 500, "a URL path (starts with '/', printable ASCII, no spaces)")
]
RelativePath = Annotated[
    str,
    Matching(_KEY.replace("{}", ""), 200, "a path below the code such as 'public/uploads'"),
    AfterValidator(_no_parent_parts),
]
WebAddress = Annotated[str, AfterValidator(_web_address)]
UserName = Annotated[
    str, Matching(r"[a-z_][a-z0-9_-]*", 32, "the name of a user such as 'www-data'")
]
RegionName = Annotated[
    str, Matching(r"[a-z]{2,3}(-[a-z]+){1,3}-[0-9]", 32, "an AWS region such as 'eu-west-1'")
]
S3BucketName = Annotated[
    str,
    Matching(
        r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        63,
        "the name of an S3 bucket (3 to 63 of a-z 0-9 . -)",
    ),
]
AwsName = Annotated[str, AfterValidator(_plain_text(255, minimum=1))]
AwsArn = Annotated[str, Matching(r"arn:aws[a-z-]*:[!-~]+", 2048, "an ARN")]
HostedZoneId = Annotated[
    str, Matching(r"Z[A-Z0-9]{1,31}", 32, "the id of a hosted zone such as 'Z3HTG0V9588TAA'")
]
SnapshotId = Annotated[
    str, Matching(r"snap-[0-9a-f]{8,17}", 22, "the id of an EBS snapshot ('snap-' and hex digits)")
]
RoleName = Annotated[
    str, Matching(r"[A-Za-z0-9+=,.@_-]{1,64}", 64, "the name of an IAM role (not its ARN)")
]
AmiReference = Annotated[
    str,
    Matching(
        r"ami-[0-9a-f]{8,17}|(/[A-Za-z0-9._-]+)+",
        200,
        "an AMI ('ami-' and hex digits) or the path of an SSM parameter",
    ),
]
InstanceTypeName = Annotated[
    str,
    AfterValidator(_known_instance_type),
    WithJsonSchema({"type": "string", "enum": sorted(INSTANCE_TYPES)}),
]
Ports = Annotated[
    PortRange,
    BeforeValidator(parse_port_range),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": PORT_MAX},
                {"type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"},
            ]
        }
    ),
]
Port = Annotated[int, Field(ge=1, le=PORT_MAX)]
IngressSource = Annotated[
    str, AfterValidator(_ingress_source), WithJsonSchema({"type": "string", "minLength": 1})
]
Seconds = Annotated[float, Field(gt=0, le=7200, allow_inf_nan=False)]
