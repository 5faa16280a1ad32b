"""Names that are parsed once, at the door: past it no raw string of that meaning travels."""

from __future__ import annotations

import re
from dataclasses import dataclass

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
"""A DNS label in lower case (RFC 1035, section 2.3.1, with the digits of RFC 1123)."""

STACK_NAME_MAX = 24
SLUG_MAX = 40

SHARED_SLUG = "shared"
"""The slug of a stack's shared environment; no branch gets it."""


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentName:
    """The copy of a stack for a branch: ``photos/feature-x``.

    Raises ValueError for a part that is not a DNS label or is too long, so that a name can be
    used in file names, nft identifiers, host names and cgroup paths without further care.
    """

    stack: str
    slug: str

    def __post_init__(self) -> None:
        for value, limit in ((self.stack, STACK_NAME_MAX), (self.slug, SLUG_MAX)):
            if not LABEL.fullmatch(value) or len(value) > limit:
                raise ValueError(f"{value!r} is not a DNS label of at most {limit} characters")

    @classmethod
    def parse(cls, text: str) -> EnvironmentName:
        """``stack/slug`` to a name; raises ValueError."""
        stack, separator, slug = text.partition("/")
        if not separator:
            raise ValueError(f"{text!r} has no '/' between stack and branch")
        return cls(stack, slug)

    def __str__(self) -> str:
        return f"{self.stack}/{self.slug}"

    @property
    def key(self) -> str:
        """The name as one path component: a stack name holds no dot, so it cannot be mistaken."""
        return f"{self.stack}.{self.slug}"
