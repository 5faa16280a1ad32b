"""Whoever must mend an input, a command line, a host or a right is told the next step: every place
that raises an error of these families gives a hint."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import greenroom
from greenroom.errors import HostError, InputError, RefusedError, UsageError

SOURCE = Path(greenroom.__file__).parent
PROMISING = {family.__name__ for family in (InputError, UsageError, HostError, RefusedError)}
"""An operation that failed says why, and a bug is to be reported: they promise no next step."""

AGENT = SOURCE / "agent"
"""Its errors are of its own."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if AGENT not in path.parents:
            yield path, ast.parse(path.read_text())


def families(names: set[str]) -> set[str]:
    """The classes of these names, and all that are made of them anywhere."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = set(names)
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def without_hint(tree: ast.Module, names: set[str]) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        # ``**fields`` may hold one; ``hint=""`` holds none.
        if made and node.func.id in names and not any(map(gives_hint, node.keywords)):
            yield node


def gives_hint(keyword: ast.keyword) -> bool:
    empty = isinstance(keyword.value, ast.Constant) and not keyword.value.value
    return keyword.arg is None or (keyword.arg == "hint" and not empty)


def test_every_error_that_promises_a_next_step_tells_it() -> None:
    names = families(PROMISING)
    found = [
        f"{path.relative_to(SOURCE)}:{call.lineno}"
        for path, tree in trees()
        for call in without_hint(tree, names)
    ]

    assert names > PROMISING
    assert found == []


def test_what_has_no_hint_is_found() -> None:
    tree = ast.parse(
        "InputError('E_A', 'a')\n"
        "InputError('E_B', 'b', hint='')\n"
        "InputError('E_C', 'c', hint='mend it')\n"
        "InputError('E_D', 'd', **fields)\n"
        "OperationError('E_E', 'e')\n"
    )

    assert [call.lineno for call in without_hint(tree, PROMISING)] == [1, 2]
