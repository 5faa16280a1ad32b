"""An nftables ruleset as a value, read from a listing or from a script of ours: pure.

The rules that ``firewall`` renders are written as nft lists them, so that what is there and what
is declared can be compared word for word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_HANDLE = re.compile(r"(.*?)\s*# handle ([0-9]+)")
_OPENING = re.compile(r"([a-z]+(?: [a-z]+)*) (\S+) \{")
_TABLE = re.compile(r"table (\S+ \S+) \{")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``handle`` is the kernel's number for it, 0 in a script."""

    text: str
    handle: int = 0


@dataclass(slots=True)
class Chain:
    """``head`` says where a base chain is hooked and its policy; it is empty for others."""

    head: str = ""
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class Collection:
    """A set or a map: its elements as nft writes them."""

    head: list[str] = field(default_factory=list)
    elements: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Table:
    """``others`` are lines and objects of kinds that greenroom never makes."""

    chains: dict[str, Chain] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def add(self, part: Table) -> None:
        """Take over what ``part`` holds; chains are shared with it, sets are joined."""
        self.chains.update(part.chains)
        for name, more in part.collections.items():
            mine = self.collections.setdefault(name, Collection(head=more.head))
            mine.elements |= more.elements


def parse_listing(text: str) -> dict[str, Table]:
    """The tables of a listing (nft(8), `list ruleset`), or of a script that looks like one."""
    tables: dict[str, Table] = {}
    table = Table()
    lines = iter(text.splitlines())
    for raw in lines:
        line, _ = _split_handle(raw)
        found = _TABLE.fullmatch(line)
        if found:
            table = tables.setdefault(found[1], Table())
            continue
        opening = _OPENING.fullmatch(line)
        if opening is None:
            if line not in ("", "}"):
                table.others.append(line)
            continue
        kind, name = opening[1], opening[2]
        body = list(_block(lines))
        if kind == "chain":
            table.chains[name] = _chain(body)
        elif kind in ("set", "map"):
            table.collections[name] = _collection(body)
        else:
            table.others.append(f"{kind} {name}")
    return tables


def add_script(table: Table, script: str) -> None:
    """Put into ``table`` what a script of `add` commands puts into the kernel's."""
    for line in script.splitlines():
        words = line.split(" ", 5)
        # add KIND FAMILY TABLE NAME REST
        if words[0] != "add":
            continue
        kind, name, rest = words[1], words[4], words[5] if len(words) > 5 else ""
        if kind == "chain":
            table.chains[name] = Chain()
        elif kind in ("set", "map"):
            head = [part.strip() for part in rest.strip("{} ").split(";") if part.strip()]
            table.collections.setdefault(name, Collection(head=head))
        elif kind == "element":
            found = table.collections.setdefault(name, Collection())
            found.elements.update(_elements(rest.strip("{} ")))
        elif kind == "rule":
            table.chains[name].rules.append(Rule(rest))


def _block(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    """The lines up to the closing brace, those of an element list joined into one."""
    pending = ""
    for raw in lines:
        line, handle = _split_handle(raw)
        if line == "}" and not pending:
            return
        if pending or line.startswith("elements = {"):
            pending = f"{pending} {line}".strip()
            if not line.endswith("}"):
                continue
            line, pending = pending, ""
        if line:
            yield line, handle


def _split_handle(raw: str) -> tuple[str, int]:
    line = raw.strip()
    found = _HANDLE.fullmatch(line) if "# handle" in line else None
    return (found[1], int(found[2])) if found else (line, 0)


def _chain(body: Iterable[tuple[str, int]]) -> Chain:
    chain = Chain()
    for line, handle in body:
        if not handle and line.startswith("type "):
            chain.head = line
        else:
            chain.rules.append(Rule(line, handle))
    return chain


def _collection(body: Iterable[tuple[str, int]]) -> Collection:
    found = Collection()
    for line, _ in body:
        if line.startswith("elements = {"):
            found.elements.update(_elements(line.removeprefix("elements = {").removesuffix("}")))
        else:
            found.head.append(line)
    return found


def _elements(text: str) -> Iterable[str]:
    return (element.strip() for element in text.split(",") if element.strip())
