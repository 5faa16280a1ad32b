"""Frozen keyword-only values without `dataclasses`, whose import alone takes 13 ms of each boot."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import dataclass_transform
else:

    def dataclass_transform(**_):  # noqa: ANN003, ANN201
        """Only type checkers read it."""
        return lambda decorated: decorated


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Value:
    """The base of a value: its fields are the annotations, class attributes are the defaults."""

    def __init__(self, **fields: object) -> None:
        names = list(type(self).__annotations__)
        unknown = [name for name in fields if name not in names]
        missing = [n for n in names if n not in fields and not hasattr(type(self), n)]
        if unknown or missing:
            raise TypeError(f"{type(self).__name__}: unknown {unknown}, missing {missing}")
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is frozen")

    def fields(self) -> dict[str, object]:
        """Every field with its value, in the order of their declaration."""
        return {name: getattr(self, name) for name in type(self).__annotations__}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.fields() == other.fields()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.fields().items())
        return f"{type(self).__name__}({inner})"
