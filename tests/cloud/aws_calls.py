"""Which AWS operations the source can call, read from it: the door to AWS takes both by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from greenroom.providers.aws.errors import Asked

DOOR_FILE = "session.py"
DOOR = ("call", "pages")
"""The methods of the session's Account that send a request."""


@cache
def actions_called(source: Path) -> dict[str, str]:
    """Every IAM action that code below ``source`` asks for, with a file that does.

    Raises ValueError for a call whose service cannot be read.
    """
    found: dict[str, str] = {}
    constants = dict(_constants(source))
    for path in sorted(source.rglob("*.py")):
        if path.name == DOOR_FILE:
            continue
        for call in _calls(path):
            service, operation = (_text(each, path, constants) for each in call.args[:2])
            if service is None:
                raise ValueError(f"{path.name}:{call.lineno}: which service is called?")
            names = [operation] if operation else sorted(_operations_in_tables(path))
            for name in names:
                asked = Asked(service=service, operation=name, region="")
                found.setdefault(asked.action, path.name)
    return found


def _calls(path: Path) -> Iterator[ast.Call]:
    text = path.read_text()
    if not any(f".{name}(" in text for name in DOOR):
        return
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in DOOR
            and len(node.args) >= 2
        ):
            yield node


def _constants(source: Path) -> Iterator[tuple[tuple[str, str], str]]:
    """Texts that modules give a name to: ``stacks.SERVICE``, or imported from there."""
    for path in source.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                for target in node.targets:
                    if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                        yield (path.stem, target.id), node.value.value


def _text(node: ast.expr, path: Path, constants: dict[tuple[str, str], str]) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return constants.get((module, name))
        case ast.Name(id=name):
            here = constants.get((path.stem, name))
            imported = [text for (_, other), text in constants.items() if other == name]
            return here or (imported[0] if len(imported) == 1 else None)
    return None


def _operations_in_tables(path: Path) -> Iterator[str]:
    """Operations that a module lists in a table, as ``operation="DescribeVolumes"``."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.keyword(arg="operation", value=ast.Constant(value=str(operation))):
                yield operation
