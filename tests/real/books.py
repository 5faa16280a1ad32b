"""What the host holds of an environment of the tests' region, and what the ledger says of it.

The ledger's file is read: to ask the daemon would start one that was killed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from greenroom.model.names import EnvironmentName
from greenroom.model.receipt import ResourceKind
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.observe import observe
from greenroom.region import Region
from tests.real.site import LABEL, NET, PORT, STATE

Held = set[tuple[str, str]]


def held(name: str) -> Held:
    """What the host holds of ``stack/slug``; processes come and go, and are in no journal."""
    return {pair for pair in _observed(name) if pair[0] != ResourceKind.PROCESS.value}


def processes(name: str) -> set[str]:
    """The processes that the host holds of it."""
    return {what for kind, what in _observed(name) if kind == ResourceKind.PROCESS.value}


def journalled(name: str) -> Held:
    """What the ledger says that the host holds of it."""
    query = "SELECT kind, name FROM intents WHERE environment = ? AND undone_at IS NULL"
    return set(rows(query, name))


def has_ended(name: str, kind: str) -> bool:
    """Whether there were operations of that kind on it, and all have come to their end."""
    query = "SELECT ended_at FROM operations WHERE environment = ? AND kind = ?"
    found = rows(query, name, kind)
    return bool(found) and all(ended_at is not None for (ended_at,) in found)


def rows(query: str, *values: str) -> list[Any]:
    """Ask the ledger's file."""
    with closing(sqlite3.connect(f"file:{STATE}/ledger/ledger.db?mode=ro", uri=True)) as ledger:
        return list(ledger.execute(query, values))


def _observed(name: str) -> Held:
    region = Region(label=LABEL, cidr=f"{NET}.0.0/16", proxy_port=PORT)
    found = observe(Layout(region), EnvironmentName.parse(name))
    return {(each.kind.value, each.name) for each in found}
