"""The name of an environment, made from its branch: a DNS label that no other branch shares."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

from greenroom.blueprint.fields import has_control_characters, shown
from greenroom.errors import BugError, InputError
from greenroom.model.names import LABEL, SHARED_SLUG, SLUG_MAX

BRANCH_MAX = 255
"""The branch is the value of a tag; EC2 allows 256 characters there."""

HASH_DIGITS = 6
_HASH_DIGITS_MAX = 32
_NOTHING_READABLE = "branch"


def check_branch(branch: str) -> str:
    """The branch itself; raises InputError E_BRANCH if it cannot name anything."""
    if not branch.strip():
        raise InputError("E_BRANCH", "the branch's name is empty", hint="name it with --branch")
    if has_control_characters(branch) or not _is_unicode(branch):
        raise InputError(
            "E_BRANCH",
            f"the branch {shown(branch)} holds control characters",
            hint="name the branch as git does",
        )
    if len(branch) > BRANCH_MAX:
        raise InputError(
            "E_BRANCH",
            f"the branch {shown(branch)} has {len(branch)} characters; at most {BRANCH_MAX} fit",
            hint="give the branch a shorter name",
        )
    return branch


def slug_of(branch: str, taken: Mapping[str, str]) -> str:
    """The slug of ``branch`` beside the slugs that are ``taken`` (slug to raw branch).

    A branch that holds a slug keeps it. A name that must change to become a label, whose label
    another branch holds, or that is the shared environment's, gets a short hash of the whole
    name. Raises InputError E_BRANCH.
    """
    check_branch(branch)
    for slug, holder in taken.items():
        if holder == branch:
            return slug
    plain = branch.replace("_", "-")
    if _is_slug(plain) and plain not in taken and plain != SHARED_SLUG:
        return plain
    return _hashed(branch, taken)


def _hashed(branch: str, taken: Mapping[str, str]) -> str:
    digest = hashlib.sha256(branch.encode()).hexdigest()
    readable = _readable(branch)
    # Longer hashes are for a branch that is itself called like another one's hashed slug.
    for digits in range(HASH_DIGITS, _HASH_DIGITS_MAX + 1):
        start = readable[: SLUG_MAX - 1 - digits].rstrip("-")
        slug = f"{start}-{digest[:digits]}"
        if slug not in taken:
            return slug
    raise BugError("E_SLUG", f"no slug is left for the branch {shown(branch)}")


def _readable(branch: str) -> str:
    """What of the name a label can show: accents are dropped, everything else becomes a dash."""
    bare = unicodedata.normalize("NFKD", branch).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-") or _NOTHING_READABLE


def _is_slug(text: str) -> bool:
    """Labels with dashes in the third and fourth place are reserved for IDNA (RFC 5891, 4.2.3.1):
    a browser would try to decode ``xn--…``."""
    return bool(LABEL.fullmatch(text)) and len(text) <= SLUG_MAX and text[2:4] != "--"


def _is_unicode(text: str) -> bool:
    """Bytes on a command line that are no UTF-8 arrive as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
