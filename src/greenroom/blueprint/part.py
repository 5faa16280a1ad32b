"""What all parts of the blueprint have in common."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

_Item = TypeVar("_Item")


def without_repeats(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """The items themselves; raises ValueError if one is there twice."""
    for position, item in enumerate(items):
        if item in items[:position]:
            raise ValueError(f"{item!r} is listed twice")
    return items


Names = Annotated[tuple[str, ...], AfterValidator(without_repeats)]


class Part(BaseModel):
    """A part never changes, and an unknown key is a fault.

    Its validator is built when somebody first asks it, which for nearly all is never: they are
    read as parts of a whole. The few that texts are read into build theirs with the class, under
    the lock of its import, so that no two threads do it at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
