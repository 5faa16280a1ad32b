"""A hundred thousand machines in the inventory: finding some, and listing all for Prometheus.

Beside the bare thing: the same rows fetched with the same indexes by sqlite3 alone.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from table import Row, Sample

from greenroom.app.clock import SystemClock
from greenroom.app.inventory.http_sd import render_http_sd
from greenroom.app.inventory.service import Inventory
from greenroom.model.inventory import Health, MachineQuery, MachineRecord
from greenroom.providers.memory.provider import MemoryProvider
from greenroom.providers.memory.world import World
from greenroom.store.database import Database
from greenroom.store.inventory import write_changes

MACHINES = 100_000
_STACKS, _BRANCHES, _ROLES = 10, 200, 5
_LOOKUPS = 2_000
_LISTS = 10
_BATCH = 5_000


def measure(folder: Path, rounds: int) -> list[Row]:
    """p99 of looking up by role and branch, and the whole list, rendered."""
    with tempfile.TemporaryDirectory(prefix="greenroom-inventory-") as scratch:
        path = Path(scratch) / "ledger.db"
        database = Database.in_file(path)
        database.migrate()
        _fill(database)
        inventory = Inventory(
            database=database, provider=MemoryProvider(World()), clock=SystemClock()
        )
        bare = sqlite3.connect(path)
        try:
            return [_lookups(inventory, bare), _list(inventory, bare)]
        finally:
            bare.close()
            database.close()


def _lookups(inventory: Inventory, bare: sqlite3.Connection) -> Row:
    chance = random.Random(7)
    asked = [
        (f"role{chance.randrange(_ROLES)}", f"branch_{chance.randrange(_BRANCHES)}")
        for _ in range(_LOOKUPS)
    ]
    # What an environment has of a role: the machines of one stack on one branch.
    queries = [
        MachineQuery(stack=f"stack{n % _STACKS}", role=role, branch=branch)
        for n, (role, branch) in enumerate(asked)
    ]
    ours = [_ms(lambda query=query: inventory.machines(query)) for query in queries]
    sql = "SELECT record_json FROM machines WHERE stack = ? AND role = ? AND branch = ?"
    peer = [
        _ms(lambda q=query: bare.execute(sql, (q.stack, q.role, q.branch)).fetchall())
        for query in queries
    ]
    found = len(inventory.machines(queries[0]).machines)
    return Row(
        what=f"inventory of {MACHINES}: by stack, role and branch, p99",
        ours=Sample(values=(_p99(ours),), unit="ms"),
        at_most=5,
        note=f"{found} machines each; median {statistics.median(ours):.2f} ms; "
        f"bare SQLite without records made of it: p99 {_p99(peer):.2f} ms",
    )


def _list(inventory: Inventory, bare: sqlite3.Connection) -> Row:
    def ours() -> None:
        text = render_http_sd(inventory.targets(MachineQuery()), 9100)
        assert text.count('"targets"') == MACHINES

    def peer() -> None:
        columns = "name, stack, slug, branch, type, role, address"
        sql = f"SELECT {columns} FROM machines ORDER BY environment, name"
        assert len(bare.execute(sql).fetchall()) == MACHINES

    lists = [_ms(ours) for _ in range(_LISTS)]
    rows = [_ms(peer) for _ in range(_LISTS)]
    return Row(
        what=f"inventory of {MACHINES}: the whole http_sd list",
        ours=Sample(values=tuple(lists), unit="ms"),
        at_most=500,
        note=f"bare SQLite takes {statistics.median(rows):.0f} ms to fetch these rows",
    )


def _fill(database: Database) -> None:
    batch: list[MachineRecord] = []
    for record in _records():
        batch.append(record)
        if len(batch) == _BATCH:
            with database.write_deferred() as connection:
                write_changes(connection, (), batch, ())
            batch.clear()


def _records() -> Iterator[MachineRecord]:
    first = MachineRecord(
        environment="",
        name="",
        stack="",
        slug="",
        branch="",
        production=False,
        type="",
        role="",
        instance_id="i-0123456789abcdef0",
        instance_type="t3.small",
        address="",
        private_dns="",
        public_dns=None,
        services=(("http", 80),),
        groups=("base",),
        tags=(("monitoring", "true"),),
        image="web",
        image_digest="ab" * 32,
        artifact_key="backend.tar.gz",
        artifact_sha256="cd" * 32,
        health=Health.HEALTHY,
        failing="",
        since=datetime.now(UTC),
        health_since=datetime.now(UTC),
    )
    each = MACHINES // (_STACKS * _BRANCHES)
    for number in range(MACHINES):
        environment, machine = divmod(number, each)
        stack, branch = f"stack{environment % _STACKS}", f"branch_{environment // _STACKS}"
        slug, role = branch.replace("_", "-"), f"role{machine % _ROLES}"
        name = f"{role}{machine // _ROLES}"
        yield replace(
            first,
            environment=f"{stack}/{slug}",
            name=name,
            stack=stack,
            slug=slug,
            branch=branch,
            type=role,
            role=role,
            address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            private_dns=f"{name}.{slug}.{stack}.internal",
        )


def _ms(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1000


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
