"""A hundred thousand machines in the inventory: finding some, and listing all for Prometheus.

Beside the bare thing: the same rows fetched by sqlite3 alone, with an index for each question.
Ours and the peer's take turns. Beside the wall stands the processor time, which tells more where
other work shares the machine.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
_FOUND_BY = ("stack", "slug", "branch", "type", "role", "address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one question took."""

    wall_ms: float
    processor_ms: float


def measure(folder: Path, rounds: int) -> list[Row]:
    """p99 of looking up by role and branch, the whole list, rendered, and what it is held in."""
    with tempfile.TemporaryDirectory(prefix="greenroom-inventory-") as scratch:
        ledger = Path(scratch) / "ledger.db"
        database = Database.in_file(ledger)
        database.migrate()
        _fill(database)
        bare = sqlite3.connect(Path(scratch) / "bare.db")
        _fill_bare(bare, ledger)
        inventory = Inventory(
            database=database, provider=MemoryProvider(World()), clock=SystemClock()
        )
        try:
            return [_start(inventory), _lookups(inventory, bare), _list(inventory, bare)]
        finally:
            bare.close()
            database.close()


def _start(inventory: Inventory) -> Row:
    before_mib = _resident_mib()
    spent = _spent(lambda: inventory.machines(MachineQuery(), limit=1))
    return Row(
        what=f"inventory of {MACHINES}: memory that holds it",
        ours=Sample(values=(_resident_mib() - before_mib,), unit="MiB"),
        note=f"read from the ledger once, at the daemon's start, in {spent.wall_ms:.0f} ms "
        f"(processor {spent.processor_ms:.0f} ms)",
    )


def _lookups(inventory: Inventory, bare: sqlite3.Connection) -> Row:
    chance = random.Random(7)
    # What an environment has of a role: the machines of one stack on one branch.
    queries = [
        MachineQuery(
            stack=f"stack{number % _STACKS}",
            role=f"role{chance.randrange(_ROLES)}",
            branch=f"branch_{chance.randrange(_BRANCHES)}",
        )
        for number in range(_LOOKUPS)
    ]
    sql = "SELECT record_json FROM machines WHERE stack = ? AND role = ? AND branch = ?"

    def of_peer(q: MachineQuery) -> list[tuple[str]]:
        return bare.execute(sql, (q.stack, q.role, q.branch)).fetchall()

    assert len(inventory.machines(queries[0]).machines) == len(of_peer(queries[0]))
    turns = [
        (_spent(lambda q=query: inventory.machines(q)), _spent(lambda q=query: of_peer(q)))
        for query in queries
    ]
    ours, peer = ([turn[whose] for turn in turns] for whose in (0, 1))
    found = len(of_peer(queries[0]))
    return Row(
        what=f"inventory of {MACHINES}: by stack, role and branch, p99",
        ours=Sample(values=(_p99([each.wall_ms for each in ours]),), unit="ms"),
        at_most=5,
        note=f"{found} machines each; {_told(ours)}; bare SQLite without records made of it: "
        f"p99 {_p99([each.wall_ms for each in peer]):.3f} ms, {_told(peer)}; {_ratio(ours, peer)}",
    )


def _list(inventory: Inventory, bare: sqlite3.Connection) -> Row:
    def of_us() -> None:
        text = render_http_sd(inventory.targets(MachineQuery()), 9100)
        assert text.count('"targets"') == MACHINES

    def of_peer() -> None:
        sql = f"SELECT name, {', '.join(_FOUND_BY)} FROM machines ORDER BY environment, name"
        assert len(bare.execute(sql).fetchall()) == MACHINES

    turns = [(_spent(of_us), _spent(of_peer)) for _ in range(_LISTS)]
    ours, peer = ([turn[whose] for turn in turns] for whose in (0, 1))
    return Row(
        what=f"inventory of {MACHINES}: the whole http_sd list",
        ours=Sample(values=tuple(each.wall_ms for each in ours), unit="ms"),
        at_most=500,
        note=f"{_told(ours)}; bare SQLite only to fetch these rows: {_told(peer)}; "
        f"{_ratio(ours, peer)}",
    )


def _told(spent: list[Spent]) -> str:
    wall_ms = statistics.median(each.wall_ms for each in spent)
    processor_ms = statistics.median(each.processor_ms for each in spent)
    return f"median {wall_ms:.3g} ms (processor {processor_ms:.3g} ms)"


def _ratio(ours: list[Spent], peer: list[Spent]) -> str:
    wall = statistics.median(each.wall_ms for each in ours)
    wall /= statistics.median(each.wall_ms for each in peer)
    processor = statistics.median(each.processor_ms for each in ours)
    processor /= statistics.median(each.processor_ms for each in peer)
    return f"ratio of the medians {wall:.2f} (processor {processor:.2f})"


def _fill(database: Database) -> None:
    batch: list[MachineRecord] = []
    for record in _records():
        batch.append(record)
        if len(batch) == _BATCH:
            with database.write_deferred() as connection:
                write_changes(connection, (), batch, ())
            batch.clear()


def _fill_bare(bare: sqlite3.Connection, ledger: Path) -> None:
    """The ledger's records, with what they are asked for in columns and indexes."""
    found_by = ", ".join(f"json_extract(record_json, '$.{each}')" for each in _FOUND_BY)
    bare.execute("ATTACH ? AS ledger", (str(ledger),))
    bare.execute(
        f"CREATE TABLE main.machines (environment, name, {', '.join(_FOUND_BY)}, record_json)"
    )
    bare.execute(
        "INSERT INTO main.machines "
        f"SELECT environment, name, {found_by}, record_json FROM ledger.machines"
    )
    bare.execute("CREATE INDEX found ON machines (stack, role, branch)")
    bare.execute(f"CREATE INDEX listed ON machines (environment, name, {', '.join(_FOUND_BY)})")
    bare.commit()
    bare.execute("DETACH ledger")


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


def _spent(do: Callable[[], object]) -> Spent:
    wall_s, processor_s = time.perf_counter(), time.thread_time()
    do()
    return Spent(
        wall_ms=(time.perf_counter() - wall_s) * 1000,
        processor_ms=(time.thread_time() - processor_s) * 1000,
    )


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
