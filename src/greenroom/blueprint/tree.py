"""A YAML text as plain values, with the line and column of every key and value.

``yaml_tree`` makes it. Who only looks at one does not need the YAML library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from greenroom.errors import Fault

Path = tuple[str | int, ...]
Place = tuple[int, int]


@dataclass(slots=True, kw_only=True)
class Tree:
    """A parsed text. ``value`` holds dict, tuple, str, int, float, bool and None only."""

    file: str
    value: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place_of(self, path: Path, *, key: bool = False) -> Place:
        """Where ``path`` stands: its value (or its key), or what encloses it if it is missing."""
        while path:
            # A list's entry has no key; a missing value has no place: what should hold it does.
            key = key and not isinstance(path[-1], int)
            place = (self.keys if key else self.values).get(path) or self.keys.get(path)
            if place is not None:
                return place
            path, key = path[:-1], True
        return self.values.get((), (1, 1))

    def at(self, path: Path) -> Any:
        """The value at ``path``; None if there is none, whatever stands in its way."""
        value = self.value
        for part in path:
            if isinstance(value, dict) and isinstance(part, str):
                value = value.get(part)
            elif isinstance(value, tuple) and isinstance(part, int):
                value = value[part] if part < len(value) else None
            else:
                return None
        return value

    def fault(self, path: Path, message: str, *, key: bool = False) -> Fault:
        """A fault of this file at ``path``."""
        line, column = self.place_of(path, key=key)
        return Fault(
            file=self.file, line=line, column=column, path=path_text(path), message=message
        )


def mapping_names(tree: Tree, *path: str | int) -> list[str]:
    """The keys of the mapping at ``path``; none if there is no mapping."""
    value = tree.at(path)
    return list(value) if isinstance(value, dict) else []


def list_length(tree: Tree, path: Path) -> int:
    """How many entries the list at ``path`` has; 0 if there is no list."""
    value = tree.at(path)
    return len(value) if isinstance(value, tuple) else 0


def path_text(path: Path) -> str:
    """``('machines', 'db', 'ingress', 0)`` as a person writes it: ``machines.db.ingress[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "(file)"
