"""YAML text to a tree.

The text is composed into nodes and the values are built here, not by the YAML library's
constructor: so every duplicate key is found (not only the first), no tag can construct anything,
and each place is known even for values that share an anchor.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from greenroom.blueprint.tree import Path, Place, Tree
from greenroom.errors import Fault

VALUES_MAX = 50_000
"""Aliases can make a short text expand without end; no blueprint comes near this many values."""
DEPTH_MAX = 40
"""Deeper nesting costs the library seconds, and at last Python's stack."""

_TAG = "tag:yaml.org,2002:"
_BOOLEANS = {"true": True, "false": False}


@lru_cache(maxsize=8)
def read_tree(text: str, file: str) -> Tree:
    """Parse ``text``; what is wrong with the YAML itself is in ``faults``, never raised.

    Remembered, because it takes ten times as long as all that is done with the tree, and one
    blueprint makes many environments. Nobody changes a tree.
    """
    tree = Tree(file=file)
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEPTH_MAX
    try:
        node = yaml.compose(text)
        if node is not None:
            tree.value = _Builder(tree).build(node, ())
    except MaxDepthExceededError:
        tree.faults.append(tree.fault((), f"the YAML is nested more than {DEPTH_MAX} deep"))
    except YAMLError as error:
        tree.faults.append(_syntax_fault(error, text, file))
    return tree


def _syntax_fault(error: YAMLError, text: str, file: str) -> Fault:
    """The library's complaint with its position, as a fault."""
    line, column, problem = 1, 1, str(error)
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = " ".join(part for part in (error.context, error.problem) if part)
    elif isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        problem = f"the character {text[error.position]!r} is not allowed"
    return Fault(
        file=file, line=line, column=column, path="(file)", message=f"not valid YAML: {problem}"
    )


class _Builder:
    """Builds values from nodes and writes down where each one stands."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: Node, path: Path) -> Any:
        """The value of ``node``, which stands at ``path``."""
        self._tree.values[path] = _place(node)
        self._count += 1
        if self._count > VALUES_MAX:
            if self._count == VALUES_MAX + 1:
                self._complain(path, f"the file expands to more than {VALUES_MAX} values")
            return None
        if len(path) > DEPTH_MAX:
            # The library counts what is written; a chain of aliases can be deeper than that.
            self._complain(path, f"the YAML is nested more than {DEPTH_MAX} deep")
            return None
        if id(node) in self._open:
            self._complain(path, "an alias refers to the value that contains it")
            return None
        self._open.add(id(node))
        try:
            return self._value(node, path)
        finally:
            self._open.discard(id(node))

    def _value(self, node: Node, path: Path) -> Any:
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return tuple(self.build(item, (*path, i)) for i, item in enumerate(node.value))
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = str(key_node.value) if isinstance(key_node, ScalarNode) else "?"
            at = (*path, name)
            first = self._tree.keys.get(at)
            self._tree.keys[at] = _place(key_node)
            if problem := _key_problem(key_node, name):
                self._complain(at, problem, key=True)
            elif name in result and first is not None:
                self._complain(
                    at, f"the key {name!r} appears twice, first on line {first[0]}", key=True
                )
                self._tree.keys[at] = first
            else:
                result[name] = self.build(value_node, at)
        return result

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        kind = str(node.tag).removeprefix(_TAG)
        text = str(node.value)
        digits = text.replace("_", "")
        match kind:
            case "null":
                return None
            case "bool" if text.lower() in _BOOLEANS:
                return _BOOLEANS[text.lower()]
            case "int" | "float":
                try:
                    return int(digits, 0) if kind == "int" else _float(digits)
                except ValueError:
                    # 010 is an integer to YAML and neither decimal nor octal to a reader.
                    self._complain(path, f"{text} is not a plain number; write it without zeros")
                    return None
            case "str" | "timestamp" | "bool":
                # A date means nothing special here: a tag's value may well look like one.
                return text
            case _:
                self._complain(path, f"the YAML tag {node.tag} is not supported")
                return text

    def _complain(self, path: Path, message: str, *, key: bool = False) -> None:
        self._tree.faults.append(self._tree.fault(path, message, key=key))


def _key_problem(node: Node, name: str) -> str | None:
    if not isinstance(node, ScalarNode):
        return "a key must be text, not a list or a mapping"
    if node.tag == f"{_TAG}merge":
        return "the merge key '<<' is not supported; write the keys out"
    if node.tag not in (f"{_TAG}str", f"{_TAG}timestamp"):
        return f'the key {name} is not text; write "{name}"'
    return None


def _float(digits: str) -> float:
    """YAML writes infinity and not-a-number with a leading dot."""
    return float(digits.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _place(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
